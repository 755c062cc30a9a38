/**
 * What commands about orders' lives and about waiting lists were told: each "yes" against the rows at the instant it is
 * given, and at the end each "no" against what the order of the mailbox had left of the order, its payments and its
 * shipments.
 */
import assert from "node:assert/strict"
import type { Cancel, Command, Extend, Join, Leave, Refund, Ship } from "../../../src/domain/commands.ts"
import type { OrderId } from "../../../src/domain/ids.ts"
import { OrderStatus, paymentTransitions, type PaymentStatus } from "../../../src/domain/order.ts"
import type { MemoryTables } from "../../../src/inventory/memory/memoryTables.ts"
import { expiryCount, placeCount, processingCount, sentCount, statusCount, statusNumber } from "./counts.ts"
import type { Submission } from "./history.ts"
import type { Ledger } from "./ledger.ts"
import { type Circumstances, valuesOf } from "./refusals.ts"

/** What a command was told, against the rows of that moment. */
export const checkLifeAnswer = ({ answer, command }: Submission, tables: MemoryTables): void => {
  if (answer === null || answer._tag === "HungUp") return
  switch (command._tag) {
    case "Extend":
      return checkBegun(command, answer, tables)
    case "Pay": {
      if (answer._tag !== "Settled") return
      const now = tables.payments.get(command.paymentId)?.status
      const mayHaveBeen: ReadonlyArray<PaymentStatus | null> = now === undefined ? [null] : statusesUpTo(now)
      const what = `a payment that is ${now} was said to be ${answer.status}`
      return assert.ok(mayHaveBeen.includes(answer.status), what)
    }
    case "Ship":
      return checkSent(command, answer, tables)
    case "Deliver": {
      const shipment = tables.shipmentsOf(command.orderId).find((row) => row.shipmentId === command.shipmentId)
      if (answer._tag === "Refused")
        return assert.strictEqual(shipment, undefined, "a shipment that is there is unknown")
      if (answer._tag !== "Delivered") return
      return assert.ok(typeof shipment?.deliveredAtMillis === "number", "a shipment was delivered, and is under way")
    }
    default:
  }
}

type Answer = NonNullable<Submission["answer"]>

const checkBegun = (command: Extend, answer: Answer, tables: MemoryTables): void => {
  const { caller, fingerprint, key, orderId } = command
  const isTold = answer._tag === "Begun" || (answer._tag === "Repeated" && "paymentId" in answer)
  const row = tables.payments.all().find((payment) => payment.caller === caller && payment.key === key)
  if (answer._tag === "Refused" && answer.refusal.code === "idempotency_key_reused") {
    return assert.ok(row !== undefined && row.fingerprint !== fingerprint, "a key was used before, and nobody did")
  }
  if (!isTold) return
  assert.deepStrictEqual([row?.paymentId, row?.orderId], [answer.paymentId, orderId], "a payment is not as it was told")
  assert.strictEqual(row?.fingerprint, fingerprint, "a repeat of another payment")
  if (answer._tag === "Begun") assert.strictEqual(row?.createdAtMillis, answer.createdAtMillis, "begun at another time")
}

const checkSent = (command: Ship, answer: Answer, tables: MemoryTables): void => {
  const { carrier, merchantId, orderId, trackingNumber } = command
  const row = tables.shipmentsOf(orderId).find((shipment) => shipment.merchantId === merchantId)
  const isSame = row?.carrier === carrier && row.trackingNumber === trackingNumber
  if (answer._tag === "Shipped") {
    const told = [answer.shipmentId, answer.createdAtMillis]
    assert.deepStrictEqual(told, [row?.shipmentId, row?.createdAtMillis], "a shipment is not as it was told")
    return assert.ok(isSame, "another shipment than was said is on its way")
  }
  if (answer._tag !== "Refused" || answer.refusal.code !== "already_shipped") return
  assert.strictEqual(answer.refusal.shipmentId, row?.shipmentId, "shipped already, as another shipment than is told")
  assert.ok(!isSame, "the same shipment said again was refused")
}

/** The statuses that a payment may have had before it came to be this. */
const statusesUpTo = (now: PaymentStatus): ReadonlyArray<PaymentStatus> => {
  const all = Object.keys(paymentTransitions) as ReadonlyArray<PaymentStatus>
  return [now, ...all.filter((from) => paymentTransitions[from].includes(now)).flatMap(statusesUpTo)]
}

/** Every "no" of this kind, and every place that was given without a change, where the order of the mailbox puts it. */
export const checkLifeRefusal = (
  submission: Submission,
  ledger: Ledger,
  circumstances: Circumstances,
  tables: MemoryTables,
): void => {
  const { command } = submission
  const look = (count: string) => valuesOf(count, submission, ledger, circumstances)
  switch (command._tag) {
    case "Cancel":
    case "Refund":
    case "Extend":
      return checkOrderRefusal({ submission, command, look })
    case "Ship": {
      const lines = tables.linesOf(command.orderId)
      const isSeller = lines.some(({ productId }) => tables.products.get(productId)?.merchantId === command.merchantId)
      // Who sells nothing in an order ships nothing of it, whatever it is.
      return isSeller ? checkOrderRefusal({ submission, command, look }) : undefined
    }
    case "Join":
    case "Leave":
      return checkPlace({ submission, command, look, isEffective: ledger.effective.has(submission) })
    default:
  }
}

interface Refused<C extends Command> {
  readonly submission: Submission
  readonly command: C
  /** What a count may have been where it was decided. */
  readonly look: (count: string) => ReadonlyArray<number>
}

const isPaid: ReadonlySet<OrderStatus> = new Set(["paid", "partiallyShipped", "shipped", "delivered"])

const checkOrderRefusal = ({ command, look, submission }: Refused<Cancel | Refund | Extend | Ship>): void => {
  const { answer, number } = submission
  if (answer?._tag !== "Refused") return
  const { refusal } = answer
  const { orderId } = command
  const was = (status: OrderStatus): boolean => mayHaveBeen(status, orderId, submission, look)
  const demand = (isSo: boolean, why: string): void =>
    assert.ok(isSo, `command ${number} was told "${refusal.code}", and ${why}`)
  switch (refusal.code) {
    case "not_cancellable":
    case "not_refundable":
    case "not_payable":
    case "not_shippable": {
      const { status } = refusal
      demand(was(status), `its order was not ${status}`)
      const goesOn: Readonly<Record<typeof refusal.code, ReadonlyArray<OrderStatus>>> = {
        not_cancellable: ["reserved", "paid", "cancelled", "refunded"],
        not_refundable: ["paid", "refunded"],
        not_payable: ["reserved", "expired", ...isPaid],
        not_shippable: ["paid", "partiallyShipped"],
      }
      // Paid between the decision and the look at why: whoever asked for it is told to try again.
      const isOld = OrderStatus.literals.some((before) => !goesOn[refusal.code].includes(before) && was(before))
      return demand(isOld || !goesOn[refusal.code].includes(status), `an order that is ${status} may go on`)
    }
    case "expired":
      return demand(was("expired"), "its order had time")
    case "already_paid":
      return demand([...isPaid].some(was), "its order was not paid")
    case "payment_in_progress":
      demand(was("reserved"), "its order was no reservation any more")
      return demand(
        look(processingCount(orderId)).some((payments) => payments > 0),
        "no payment was under way",
      )
    case "already_shipped":
      if (command._tag !== "Ship") return demand(false, "nobody shipped")
      return demand(look(sentCount(orderId, command.merchantId)).includes(1), "nothing was on its way")
    default:
  }
}

/** Whether an order may have had this status while its command was decided; one whose time is over counts as expired. */
const mayHaveBeen = (
  status: OrderStatus,
  orderId: OrderId,
  { answeredAtMillis, startedAtMillis }: Submission,
  look: (count: string) => ReadonlyArray<number>,
): boolean => {
  const numbers = look(statusCount(orderId))
  const isReserved = numbers.includes(statusNumber("reserved"))
  const ends = look(expiryCount(orderId))
  if (status === "reserved") return isReserved && ends.some((endMillis) => endMillis > startedAtMillis)
  if (numbers.includes(statusNumber(status))) return true
  return status === "expired" && isReserved && ends.some((endMillis) => endMillis <= answeredAtMillis)
}

/** Whoever joined or left and changed nothing had that very place, or none. */
const checkPlace = ({
  command,
  isEffective,
  look,
  submission: { answer, number },
}: Refused<Join | Leave> & { readonly isEffective: boolean }): void => {
  const isDone = answer?._tag === "Joined" || answer?._tag === "Done"
  if (!isDone || isEffective) return
  const places = look(placeCount(command.productId, command.accountId))
  const expected = command._tag === "Join" ? command.quantity : 0
  assert.ok(
    places.includes(expected),
    `command ${number} changed no place, and there was another one than it asked for`,
  )
}
