/**
 * Which races a run saw, and who won them: two commands about one order or one offer that were under way at once, or one
 * that was decided right at the end of a time. It judges nothing; a run over many seeds has to see every winner.
 */
import type { Command } from "../../../src/domain/commands.ts"
import type { OrderRow, PaymentRow } from "../../../src/inventory/memory/memoryRows.ts"
import type { MemoryTables } from "../../../src/inventory/memory/memoryTables.ts"
import type { History, Submission } from "./history.ts"
import type { Ledger } from "./ledger.ts"

/** How near to the end of a time counts as a race for it. */
const nearMillis = 100

interface Ended<C extends Command> {
  readonly submission: Submission
  readonly command: C
}

type Tagged<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>

const ofKind = <Tag extends Command["_tag"]>({ submissions }: History, tag: Tag): ReadonlyArray<Ended<Tagged<Tag>>> =>
  submissions.flatMap((submission) => {
    const { command } = submission
    return command._tag === tag ? [{ submission, command: command as Tagged<Tag> }] : []
  })

const isAtOnce = (one: Submission, other: Submission): boolean =>
  one.startedAtMillis <= endOf(other) && other.startedAtMillis <= endOf(one)
const endOf = ({ answeredAtMillis }: Submission): number => (answeredAtMillis === 0 ? Infinity : answeredAtMillis)

export const countRaces = (
  history: History,
  ledger: Ledger,
  tables: MemoryTables,
  count: (name: string) => void,
): void => {
  const pays = ofKind(history, "Pay").filter(({ command }) => command.result._tag !== "Refunded")
  const cancels = ofKind(history, "Cancel")
  for (const pay of pays) {
    const order = tables.orders.get(pay.command.orderId)
    const payment = tables.payments.get(pay.command.paymentId)
    if (order === undefined || payment === undefined) continue
    if (ledger.effective.has(pay.submission)) countPayment(order, payment, count)
    const cancel = cancels.find(
      ({ command, submission }) =>
        command.orderId === order.orderId && ledger.effective.has(submission) && isAtOnce(submission, pay.submission),
    )
    if (cancel !== undefined && ledger.effective.has(pay.submission) && pay.command.result._tag === "Succeeded") {
      count(order.status === "cancelled" ? "cancel wins over pay" : "pay wins over cancel, then refunded")
    }
  }
  countTwins(pays, ledger, count)
  for (const { command, submission } of ofKind(history, "Extend")) {
    const order = tables.orders.get(command.orderId)
    if (order === undefined || submission.answer?._tag !== "Refused") continue
    const isNear = Math.abs(submission.startedAtMillis - order.expiresAtMillis) <= nearMillis
    if (submission.answer.refusal.code === "expired" && isNear) count("the end wins over a payment that would begin")
  }
  countAcceptances(history, ledger, count)
}

/** Money that came right at the end of its order's time. */
const countPayment = (order: OrderRow, payment: PaymentRow, count: (name: string) => void): void => {
  const { settledAtMillis, status } = payment
  if (settledAtMillis === null || Math.abs(settledAtMillis - order.expiresAtMillis) > nearMillis) return
  if (status === "succeeded" || order.paidAtMillis === settledAtMillis) count("pay wins over expire")
  else if (status !== "declined" && order.status !== "cancelled") count("expire wins over pay")
}

/** Two that tell of one charge at once. */
const countTwins = (pays: ReadonlyArray<Ended<Tagged<"Pay">>>, ledger: Ledger, count: (name: string) => void): void => {
  for (const [at, one] of pays.entries()) {
    if (!ledger.effective.has(one.submission)) continue
    const isTwin = pays.some(
      ({ command, submission }, other) =>
        other !== at && command.paymentId === one.command.paymentId && isAtOnce(submission, one.submission),
    )
    if (isTwin) count("two callbacks at once, one settles")
  }
}

/** Offers that were accepted right at the end of their time, and those that were lost then. */
const countAcceptances = (history: History, ledger: Ledger, count: (name: string) => void): void => {
  for (const { command, submission } of ofKind(history, "Reserve")) {
    const [part] = command.held
    const offer = part === undefined ? undefined : ledger.offers.get(part.attempt)
    if (offer === undefined || !part?.key.startsWith("offer/")) continue
    const { answer, startedAtMillis } = submission
    const isNear = Math.abs(startedAtMillis - offer.expiresAtMillis) <= nearMillis
    if (answer?._tag === "Accepted" && isNear) count("accept wins over the end of its offer")
    if (answer?._tag === "HoldMissing" && offer.end === "expired") count("the end of an offer wins over accept")
    if (answer?._tag === "HoldMissing" && offer.end === "declined") count("decline wins over accept")
    if (answer?._tag === "HoldMissing" && offer.end === "accepted") count("two accept at once, one has it")
  }
}
