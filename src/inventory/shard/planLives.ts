/**
 * The part of the planner that decides about orders that are there: ended, paid, shipped, delivered. What an order has
 * become only its rows know, so each of these is written under the status it starts from, and the commit says whether
 * it came to pass.
 *
 * Must stay true: a batch changes an order once, so that what a command starts from is what the batch found.
 */
import type { EndingWrite } from "../../domain/batch.ts"
import {
  type Cancel,
  type Deliver,
  type Expire,
  type Extend,
  keyName,
  type Pay,
  type Refund,
  type Ship,
} from "../../domain/commands.ts"
import { type Decision, type Draft, later } from "./draft.ts"

export const decideEnding = (
  draft: Draft,
  { lines, orderId }: Cancel | Expire | Refund,
  status: EndingWrite["status"],
  at: number,
): Decision | typeof later => {
  const ending = { orderId, lines, status }
  const earlier = draft.changed.get(orderId)
  if (earlier !== undefined) {
    const isSame = earlier.ending !== null && isRepeated(earlier.ending, ending)
    return isSame ? { _tag: "Same", as: earlier.at } : later
  }
  draft.changed.set(orderId, { at, ending })
  for (const line of lines) if (line.shard === draft.shard) draft.gains.add(line.productId)
  draft.endings.push(ending)
  return { _tag: "Ending", ending: draft.endings.length - 1 }
}

/** A cancellation asked for again; an order that may also have expired is left to the next batch. */
const isRepeated = (earlier: EndingWrite, again: EndingWrite): boolean =>
  earlier.status === "cancelled" &&
  again.status === "cancelled" &&
  earlier.lines.length === again.lines.length &&
  earlier.lines.every(({ productId }) => again.lines.some((line) => line.productId === productId))

export const decideExtend = (draft: Draft, command: Extend, at: number): Decision | typeof later => {
  const name = keyName(command)
  if (draft.changed.has(command.orderId) || draft.paymentKeys.has(name)) return later
  draft.changed.set(command.orderId, { at, ending: null })
  draft.paymentKeys.add(name)
  draft.payments.push(command)
  return { _tag: "Payment", payment: draft.payments.length - 1 }
}

export const decidePay = (draft: Draft, command: Pay, at: number): Decision | typeof later => {
  if (draft.changed.has(command.orderId)) return later
  draft.changed.set(command.orderId, { at, ending: null })
  draft.settlements.push(command)
  return { _tag: "Settlement", settlement: draft.settlements.length - 1 }
}

export const decideShip = (draft: Draft, command: Ship, at: number): Decision | typeof later => {
  if (draft.changed.has(command.orderId)) return later
  draft.changed.set(command.orderId, { at, ending: null })
  draft.shipments.push(command)
  return { _tag: "Shipment", shipment: draft.shipments.length - 1 }
}

export const decideDeliver = (draft: Draft, command: Deliver, at: number): Decision | typeof later => {
  if (draft.changed.has(command.orderId)) return later
  draft.changed.set(command.orderId, { at, ending: null })
  draft.deliveries.push(command)
  return { _tag: "Delivery", delivery: draft.deliveries.length - 1 }
}
