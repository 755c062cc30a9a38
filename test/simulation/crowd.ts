/**
 * What people do in a run: order and try again, hang up, cancel, fill carts and check them out, deliver stock and edit
 * products, each through one of the nodes that are there. Every answer goes to the auditor at the instant it is given.
 */
import { Clock, Effect, type Fiber } from "effect"
import type { CallerId } from "../../src/domain/ids.ts"
import { checkoutFingerprint, checkoutHoldFingerprint } from "../../src/inventory/fingerprint.ts"
import type { MemoryDatabase } from "../../src/inventory/memory/MemoryShardStore.ts"
import type { OrderRow } from "../../src/inventory/memory/memoryTables.ts"
import type { OrderRequest } from "../../src/inventory/OrderCoordinator.ts"
import type { Auditor } from "./auditor.ts"
import type { Chance } from "./chance.ts"
import { answerOf, type Attempt, type Cancellation, type History } from "./history.ts"
import type { Node } from "./node.ts"
import {
  callerIds,
  type Delivery,
  type Edit,
  fingerprintOf,
  type Ids,
  type Regret,
  type Tab,
  type Visit,
} from "./shop.ts"

export interface Place {
  readonly chance: Chance
  readonly database: MemoryDatabase
  readonly history: History
  readonly auditor: Auditor
  readonly ids: Ids
  /** Those that can be asked; there may be none for a while. */
  readonly nodes: ReadonlyArray<Node>
  readonly killed: ReadonlySet<string>
  readonly judged: (check: () => void) => void
  readonly customers: Map<string, string>
}

const nodeFor = ({ nodes }: Place, wantsSecond: boolean): Node | undefined =>
  (wantsSecond ? nodes[1] : undefined) ?? nodes[0]

export const ended = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    fiber.addObserver(() => resume(Effect.void))
  })

/** Asks on a fiber of its own that hangs up when its patience is over or the node is killed; 0 is a few breaths. */
const asking = Effect.fnUntraced(function* <A, E>(
  { chance, killed }: Place,
  node: Node,
  patienceMillis: number | null,
  question: Effect.Effect<A, E>,
) {
  const fiber = yield* Effect.forkChild(question)
  node.callers.add(fiber)
  if (killed.has(node.name)) fiber.interruptUnsafe()
  if (patienceMillis !== null) {
    for (let breath = patienceMillis === 0 ? chance.below(30) : 0; breath > 0; breath--) yield* Effect.yieldNow
    yield* Effect.sleep(patienceMillis)
    fiber.interruptUnsafe()
  }
  yield* ended(fiber)
  node.callers.delete(fiber)
})

type Manner = Pick<Visit, "patienceMillis" | "deadlineMillis">

/** One try to place an order; how it ended, by its tag. */
const attempting = Effect.fnUntraced(function* (
  place: Place,
  node: Node,
  request: OrderRequest,
  { deadlineMillis, patienceMillis }: Manner,
) {
  const { auditor, customers, database, history, judged } = place
  customers.set(request.orderId, request.customer)
  const startedAtMillis = yield* Clock.currentTimeMillis
  const known = database.tables.orderKeys.get(`${request.caller}/${request.key}`)
  const knownBefore = known === undefined ? null : { orderId: known.orderId, fingerprint: known.fingerprint }
  const attempt: Attempt = { request, startedAtMillis, knownBefore, answer: null }
  history.attempts.push(attempt)
  const question = node.coordinator.place(request, startedAtMillis + deadlineMillis).pipe(
    Effect.onExit((exit) =>
      Effect.sync(() => {
        attempt.answer = answerOf(exit)
        judged(() => auditor.onAttempt(attempt))
      }),
    ),
  )
  yield* asking(place, node, patienceMillis, question)
  // Given up before it began.
  attempt.answer ??= { _tag: "HungUp" }
  const tag: string | undefined = attempt.answer?._tag
  return tag
})

const triesAgain = new Set<string | undefined>(["Busy", "OutcomeUnknown", "HungUp", "CartChanged"])

export const visiting = Effect.fnUntraced(function* (place: Place, visit: Visit) {
  const { chance, ids } = place
  yield* Effect.sleep(visit.atMillis)
  for (let round = 0; round <= visit.retriesMax; round++) {
    const node = nodeFor(place, visit.goesToSecond === (round % 2 === 0))
    const request = { ...visit.wish, orderId: ids.order() }
    const tag = node === undefined ? "Busy" : yield* attempting(place, node, request, visit)
    if (!triesAgain.has(tag)) return
    yield* Effect.sleep(chance.pick([0, 1, 30, 400]))
  }
})

/** Fills its owner's cart, or sells it as a checkout does: the key is looked up first, then the cart is read. */
export const usingCart = Effect.fnUntraced(function* (place: Place, tab: Tab) {
  const { chance, database, ids } = place
  yield* Effect.sleep(tab.atMillis)
  if ("lines" in tab) return void database.putCart(tab.caller, tab.lines)
  const { caller, key } = tab
  for (let round = 0; round <= tab.retriesMax; round++) {
    const node = nodeFor(place, tab.goesToSecond === (round % 2 === 0))
    if (database.tables.orderKeys.get(`${caller}/${key}`) !== undefined) return
    const cart = database.tables.carts.get(caller)
    if (cart === undefined || cart.lines.length === 0) return
    yield* Effect.sleep(chance.pick([0, 0, 0, 2, 40]))
    const { lines, version: cartVersion } = cart
    const names = { caller, key, fingerprint: checkoutFingerprint, holdFingerprint: checkoutHoldFingerprint(lines) }
    const terms = { customer: caller, customerRef: null, expectedTotal: null, reservationTtlMillis: 60_000 }
    const request = { ...names, ...terms, orderId: ids.order(), lines, cartVersion }
    const tag = node === undefined ? "Busy" : yield* attempting(place, node, request, tab)
    if (!triesAgain.has(tag)) return
    yield* Effect.sleep(chance.pick([0, 1, 30, 400]))
  }
})

/** Cancels some order that is there, some right at the end of its time, some twice at once. */
export const regretting = Effect.fnUntraced(function* (place: Place, regret: Regret) {
  const { chance, database } = place
  yield* Effect.sleep(regret.atMillis)
  const orders = database.tables.orders.all()
  if (orders.length === 0) return
  const order = chance.pick(orders)
  const leftMillis = order.expiresAtMillis - (yield* Clock.currentTimeMillis)
  if (leftMillis < 5_000 && chance.happens(0.5)) yield* Effect.sleep(leftMillis + chance.pick([-20, -1, 0, 1]))
  const caller = regret.isOwner ? order.caller : chance.pick(callerIds)
  const once = cancelling(place, order, caller, regret.patienceMillis)
  const follow = regret.follower === null ? Effect.void : visiting(place, following(place, regret.follower, order))
  yield* Effect.all([follow, ...Array.from({ length: regret.times }, () => once)], {
    concurrency: "unbounded",
    discard: true,
  })
})

/** The same visitor, who wants what the order has. */
const following = ({ database }: Place, visit: Visit, { orderId }: OrderRow): Visit => {
  const lines = database.tables.linesOf(orderId).map(({ productId, quantity }) => ({ productId, quantity }))
  const fingerprint = fingerprintOf(lines)
  const names = { key: `after ${orderId}`, fingerprint, holdFingerprint: fingerprint, expectedTotal: null }
  return { ...visit, wish: { ...visit.wish, ...names, lines, reservationTtlMillis: 60_000 } }
}

const cancelling = Effect.fnUntraced(function* (
  place: Place,
  order: OrderRow,
  caller: CallerId,
  patienceMillis: number | null,
) {
  const { auditor, chance, history, judged } = place
  const node = nodeFor(place, chance.happens(0.5))
  if (node === undefined) return
  const cancellation: Cancellation = { caller, orderId: order.orderId, ownerBefore: order.caller, answer: null }
  history.cancellations.push(cancellation)
  const question = node.ending.cancel(caller, order.orderId).pipe(
    Effect.map((outcome) => outcome ?? ({ _tag: "NotFound" } as const)),
    Effect.onExit((exit) =>
      Effect.map(Clock.currentTimeMillis, (nowMillis) => {
        cancellation.answer = answerOf(exit)
        judged(() => auditor.onCancellation(cancellation, nowMillis))
      }),
    ),
  )
  yield* asking(place, node, patienceMillis, question)
})

export const moving = Effect.fnUntraced(function* (place: Place, { atMillis, movement, retriesMax }: Delivery) {
  const { chance } = place
  yield* Effect.sleep(atMillis)
  for (let round = 0; round <= retriesMax; round++) {
    const node = nodeFor(place, chance.happens(0.5))
    if (node !== undefined && !(yield* isToTryAgain(place, node, node.writer.move({ ...movement })))) return
    yield* Effect.sleep(chance.pick([0, 30, 400]))
  }
})

export const editing = Effect.fnUntraced(function* (
  place: Place,
  { atMillis, change, of, productId, retriesMax }: Edit,
) {
  const { chance, database } = place
  yield* Effect.sleep(atMillis)
  for (let round = 0; round <= retriesMax; round++) {
    const node = nodeFor(place, chance.happens(0.5))
    const seen = database.tables.products.get(productId)?.version ?? 1
    const expectedVersion = of === "any" ? null : of === "seen" ? seen : seen - 1
    if (node !== undefined) {
      const edit = node.writer.amend(productId, expectedVersion, { ...change })
      if (!(yield* isToTryAgain(place, node, edit))) return
    }
    yield* Effect.sleep(chance.pick([0, 30, 400]))
  }
})

/** Asks and waits for the answer; whether it was none that lasts. */
const isToTryAgain = Effect.fnUntraced(function* <
  A extends { readonly _tag: string },
  E extends { readonly _tag: string },
>(place: Place, node: Node, question: Effect.Effect<A, E>) {
  let tag: string | undefined
  const noted = Effect.onExit(question, (exit) => Effect.sync(() => void (tag = answerOf(exit)._tag)))
  yield* asking(place, node, null, noted)
  return triesAgain.has(tag)
})
