/**
 * One finger on the button: an order asked for with one key until the answer is final, hanging up on the way where the
 * buyer is impatient. Must stay true: only an order and a refusal that is not retryable are final; `busy`,
 * `outcome_unknown` and a lost connection leave everything open, to be asked again with the same key.
 */
import { check } from "k6"
import type { World } from "../src/load/world.ts"
import { asksMax, askAgainAfterMillis, pauseAfterLossMillis, unexpected } from "./ask.ts"
import {
  type Answer,
  type Call,
  fault,
  hangUps,
  ordersPlaced,
  pause,
  pressToAnswer,
  replays,
  send,
  unitsSold,
  unitsUnaccounted,
} from "./shop.ts"

export interface Order {
  readonly id: string
  readonly status: string
  readonly lines: ReadonlyArray<{
    readonly productId: string
    readonly quantity: number
    readonly unitPrice: { readonly amount: number }
  }>
  readonly total: { readonly amount: number }
}

export type Told =
  | { readonly kind: "bought"; readonly order: Order; readonly wasReplayed: boolean }
  | { readonly kind: "refused"; readonly code: string }
  /** Never a final answer, or one that no caller should get; counted as an error. */
  | { readonly kind: "nothing" }

export interface Press {
  readonly call: Call
  /** How long each of the first presses is waited for before hanging up. */
  readonly hangsUpAfterMillis?: ReadonlyArray<number>
  /** Codes of the refusals that this buyer may get. */
  readonly refusals?: ReadonlyArray<string>
}

const requestTimedOut = 1050

interface Problem {
  readonly code?: string
  readonly retryable?: boolean
}

/** A proxy's page or a body cut short is no problem of ours. */
const problemOf = ({ body }: Answer): Problem => {
  try {
    return JSON.parse(body)
  } catch {
    return {}
  }
}

const orderOf = ({ body }: Answer): Order => JSON.parse(body)

/** The final word, or how long to wait before the next press. */
const understand = (answer: Answer, { call, refusals = [] }: Press): Told | number => {
  if (answer.status === 201) {
    const wasReplayed = answer.headers["Idempotency-Replayed"] === "true"
    if (wasReplayed) replays.add(1)
    return { kind: "bought", order: orderOf(answer), wasReplayed }
  }
  const waitMillis = askAgainAfterMillis(answer)
  if (waitMillis !== undefined) return waitMillis
  const { code = "", retryable = false } = problemOf(answer)
  if (answer.status !== 409 || !refusals.includes(code)) {
    unexpected(answer, call)
    return { kind: "nothing" }
  }
  return retryable ? pauseAfterLossMillis : { kind: "refused", code }
}

export const press = async (world: World, wanted: Press): Promise<Told> => {
  for (let attempt = 0; attempt < asksMax; attempt++) {
    const patienceMillis = wanted.hangsUpAfterMillis?.[attempt]
    const startedAt = Date.now()
    const answer = await send(world, wanted.call, patienceMillis)
    if (answer.status === 0 && answer.errorCode === requestTimedOut && patienceMillis !== undefined) {
      hangUps.add(1)
    } else {
      if (answer.status !== 0) pressToAnswer.add(Date.now() - startedAt)
      const told = understand(answer, wanted)
      if (typeof told !== "number") return told
      await pause(told)
    }
  }
  fault(`${wanted.call.method} ${wanted.call.route} had no final answer after ${asksMax} presses`)
  return { kind: "nothing" }
}

export const unitsOf = ({ lines }: Order): number => lines.reduce((sum, { quantity }) => sum + quantity, 0)

/** To be called once for each key that bought. */
export const countPurchase = (order: Order): void => {
  ordersPlaced.add(1)
  unitsSold.add(unitsOf(order))
  unitsUnaccounted.add(unitsOf(order))
}

/** Whatever one key was told, it was told one thing. */
export const checkOneOrder = (told: ReadonlyArray<Told>): void => {
  const ids = new Set(told.flatMap((each) => (each.kind === "bought" ? [each.order.id] : [])))
  check(told, {
    "one key is one order": () => ids.size <= 1,
    "one key is never both sold and refused": () => ids.size === 0 || told.every(({ kind }) => kind !== "refused"),
  })
}

/** An order is what was asked for, at the shop's price. */
export const checkOrder = (
  { wares }: World,
  order: Order,
  wanted: ReadonlyArray<{ readonly productId: string; readonly quantity: number }>,
): void => {
  const price = (productId: string) => wares.find(({ id }) => id === productId)?.price
  const total = order.lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice.amount, 0)
  check(order, {
    "an order has every line in full": () =>
      order.lines.length === wanted.length &&
      wanted.every(({ productId, quantity }) =>
        order.lines.some((line) => line.productId === productId && line.quantity === quantity),
      ),
    "an order has the shop's prices": () =>
      order.total.amount === total && order.lines.every((line) => line.unitPrice.amount === price(line.productId)),
  })
}
