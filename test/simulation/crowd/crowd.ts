/**
 * What people do in a run: order and try again, hang up, cancel, fill carts and check them out, deliver stock and edit
 * products, each through one of the nodes that are there. What a client hears goes to the auditor when it hears it.
 */
import { Effect } from "effect"
import type { MerchantId } from "../../../src/domain/ids.ts"
import type { MemoryDatabase } from "../../../src/inventory/memory/MemoryShardStore.ts"
import type { OrderRow } from "../../../src/inventory/memory/memoryRows.ts"
import type { Orders } from "../../../src/orders/Orders.ts"
import type { Auditor } from "../audit/auditor.ts"
import type { Chance } from "../machine/chance.ts"
import {
  answerOf,
  type Cancellation,
  type Delivered,
  type History,
  type Known,
  type Purchase,
} from "../audit/history.ts"
import type { Node } from "../service/node.ts"
import { buyers, type Delivery, type Edit, type Regret, type Tab, type Visit } from "./shop.ts"
import type { Provider } from "./provider.ts"
import type { SeededRuntime } from "../machine/seededRuntime.ts"
import type { Story } from "../story.ts"

export interface Place {
  readonly chance: Chance
  readonly runtime: SeededRuntime
  readonly database: MemoryDatabase
  readonly history: History
  readonly auditor: Auditor
  /** Those that can be asked; there may be none for a while. */
  readonly nodes: ReadonlyArray<Node>
  /** Whom a balancer sends everybody to, as long as it is there; null where everybody goes where they like. */
  balanced: Node | null
  readonly judged: (check: () => void) => void
  readonly story: Story
  /** How long a reservation lasts that is in no hurry. */
  readonly reservationTtlMillis: number
  /** Null where nobody pays. */
  readonly provider: Provider | null
}

export const nodeFor = ({ balanced, nodes }: Place, wantsSecond: boolean): Node | undefined => {
  if (balanced !== null && nodes.includes(balanced)) return balanced
  return (wantsSecond ? nodes[1] : undefined) ?? nodes[0]
}

export const knownBy = ({ tables }: MemoryDatabase, caller: string, key: string): Known | null => {
  const known = tables.orderKeys.get(`${caller}/${key}`)
  return known === undefined ? null : { orderId: known.orderId, fingerprint: known.fingerprint }
}

/** Asks a node, and hangs up when its patience is over; 0 is a few breaths. What came of it, as one value. */
export const asking = Effect.fnUntraced(function* <
  A extends { readonly _tag: string },
  E extends { readonly _tag: string },
>({ chance, runtime }: Place, node: Node, patienceMillis: number | null, question: Effect.Effect<A, E>) {
  const call = node.process.call(runtime.world, question)
  if (patienceMillis === null) return answerOf(yield* Effect.exit(call))
  const fiber = yield* Effect.forkChild(call)
  for (let breath = patienceMillis === 0 ? chance.below(30) : 0; breath > 0; breath--) yield* Effect.yieldNow
  yield* Effect.sleep(patienceMillis)
  fiber.interruptUnsafe()
  return answerOf(
    yield* Effect.callback<Parameters<Parameters<typeof fiber.addObserver>[0]>[0]>((resume) => {
      fiber.addObserver((exit) => resume(Effect.succeed(exit)))
    }),
  )
})

type Manner = Pick<Visit, "patienceMillis" | "deadlineMillis"> & { readonly reservationTtlMillis: number }

const settingsOf = ({ deadlineMillis, reservationTtlMillis }: Manner) => ({
  orderDeadlineMillis: deadlineMillis,
  reservationTtlMillis,
})

/** One try to buy; how it ended, by its tag, and whether trying again may help. */
const buying = Effect.fnUntraced(function* (
  place: Place,
  node: Node,
  wanted: Pick<Purchase, "buyer" | "key" | "lines">,
  manner: Manner,
  buy: (orders: Orders["Service"]) => ReturnType<Orders["Service"]["checkout"]>,
) {
  const { auditor, database, history, judged, runtime, story } = place
  const knownBefore = knownBy(database, wanted.buyer.caller, wanted.key)
  const times = { invokedAtMillis: runtime.nowMillis, answeredAtMillis: Infinity }
  const purchase: Purchase = { ...wanted, ...times, node: node.name, knownBefore, answer: null }
  history.purchases.push(purchase)
  story.asked(purchase)
  const answer = yield* asking(place, node, manner.patienceMillis, Effect.flatMap(node.orders(settingsOf(manner)), buy))
  purchase.answer = answer
  purchase.answeredAtMillis = runtime.nowMillis
  story.heard(purchase)
  judged(() => auditor.onPurchase(purchase))
  if (answer._tag === "Placed" && place.chance.happens(0.2)) yield* lookingAt(place, wanted.buyer, answer.order.id)
  return answer
})

const noMerchants: ReadonlyArray<MerchantId> = []

/** Whoever was told of an order finds it, through whichever node is there. */
const lookingAt = Effect.fnUntraced(function* (
  place: Place,
  { caller }: Purchase["buyer"],
  orderId: OrderRow["orderId"],
) {
  const node = nodeFor(place, place.chance.happens(0.5))
  if (node === undefined) return
  const settings = { orderDeadlineMillis: 5_000, reservationTtlMillis: 60_000 }
  const look = Effect.flatMap(node.orders(settings), (orders) =>
    Effect.map(orders.get({ caller, merchantIds: noMerchants, isAdmin: false }, orderId), (order) => ({
      _tag: order === null ? "NotFound" : "Found",
    })),
  )
  const answer = yield* asking(place, node, null, look)
  place.judged(() => place.auditor.onLook(orderId, answer._tag))
})

const triesAgain = new Set<string>(["Busy", "OutcomeUnknown", "HungUp", "ConnectionLost"])

const isOpen = (answer: NonNullable<Purchase["answer"]>): boolean =>
  triesAgain.has(answer._tag) || (answer._tag === "Refused" && answer.refusal.code === "cart_changed")

/** Tries until an answer is final or its patience with retries is over. */
const persisting = Effect.fnUntraced(function* (
  place: Place,
  { goesToSecond, retriesMax }: Pick<Visit, "retriesMax" | "goesToSecond">,
  once: (node: Node) => Effect.Effect<NonNullable<Purchase["answer"]>>,
) {
  for (let round = 0; round <= retriesMax; round++) {
    const node = nodeFor(place, goesToSecond === (round % 2 === 0))
    if (node !== undefined && !isOpen(yield* once(node))) return
    yield* Effect.sleep(place.chance.pick([0, 1, 30, 400]))
  }
})

export const visiting = Effect.fnUntraced(function* (place: Place, visit: Visit) {
  const { wish } = visit
  const { buyer, expectedTotal, key: idempotencyKey, lines, reservationTtlMillis } = wish
  yield* Effect.sleep(visit.atMillis)
  yield* persisting(place, visit, (node) =>
    buying(place, node, wish, { ...visit, reservationTtlMillis }, (orders) =>
      orders.place(buyer, { idempotencyKey, lines, expectedTotal }),
    ),
  )
})

/** Fills its owner's cart, or sells it. */
export const usingCart = Effect.fnUntraced(function* (place: Place, tab: Tab) {
  yield* Effect.sleep(tab.atMillis)
  if ("lines" in tab) {
    place.story.filled(tab)
    return void place.database.putCart(tab.buyer.caller, tab.lines)
  }
  const { buyer, key } = tab
  yield* persisting(place, tab, (node) =>
    buying(
      place,
      node,
      { buyer, key, lines: null },
      { ...tab, reservationTtlMillis: place.reservationTtlMillis },
      (orders) => orders.checkout(buyer, { idempotencyKey: key, expectedTotal: null }),
    ),
  )
})

/** Cancels some order that is there, some right at the end of its time, some twice at once. */
export const regretting = Effect.fnUntraced(function* (place: Place, regret: Regret) {
  const { chance, database, runtime } = place
  yield* Effect.sleep(regret.atMillis)
  const orders = database.tables.orders.all()
  if (orders.length === 0) return
  const order = chance.pick(orders)
  const leftMillis = order.expiresAtMillis - runtime.nowMillis
  if (leftMillis < 5_000 && chance.happens(0.5)) yield* Effect.sleep(leftMillis + chance.pick([-20, -1, 0, 1]))
  const caller = regret.isOwner ? order.caller : chance.pick(buyers).caller
  const once = cancelling(place, order, caller, regret.patienceMillis)
  const follow = regret.follower === null ? Effect.void : visiting(place, following(place, regret.follower, order))
  yield* Effect.all([follow, ...Array.from({ length: regret.times }, () => once)], {
    concurrency: "unbounded",
    discard: true,
  })
})

/** The same visitor, who wants what the order has. */
const following = ({ chance, database, reservationTtlMillis }: Place, visit: Visit, { orderId }: OrderRow): Visit => {
  const lines = database.tables.linesOf(orderId).map(({ productId, quantity }) => ({ productId, quantity }))
  const wish = { ...visit.wish, key: `after ${orderId}`, lines, expectedTotal: null, reservationTtlMillis }
  // At once, or as late as what travels to another shard may be there.
  return { ...visit, atMillis: chance.pick([0, 0, 0, 10, 40]), wish }
}

export const cancelling = Effect.fnUntraced(function* (
  place: Place,
  { caller: owner, orderId }: OrderRow,
  caller: OrderRow["caller"],
  patienceMillis: number | null,
) {
  const { auditor, chance, history, judged, runtime, story } = place
  const node = nodeFor(place, chance.happens(0.5))
  if (node === undefined) return
  const times = { invokedAtMillis: runtime.nowMillis, answeredAtMillis: Infinity }
  const cancellation: Cancellation = {
    ...times,
    caller,
    orderId,
    ownerBefore: owner,
    node: node.name,
    answer: null,
  }
  history.cancellations.push(cancellation)
  story.asked(cancellation)
  const settings = { orderDeadlineMillis: 1_500, reservationTtlMillis: 60_000 }
  const question = Effect.flatMap(node.orders(settings), (orders) => orders.cancel(caller, orderId)).pipe(
    Effect.map((outcome) => outcome ?? ({ _tag: "NotFound" } as const)),
  )
  cancellation.answer = yield* asking(place, node, patienceMillis, question)
  cancellation.answeredAtMillis = runtime.nowMillis
  story.heard(cancellation)
  judged(() => auditor.onCancellation(cancellation))
})

export const moving = Effect.fnUntraced(function* (place: Place, { atMillis, movement, retriesMax }: Delivery) {
  const { chance, history, runtime, story } = place
  yield* Effect.sleep(atMillis)
  for (let round = 0; round <= retriesMax; round++) {
    const node = nodeFor(place, chance.happens(0.5))
    if (node !== undefined) {
      const times = { invokedAtMillis: runtime.nowMillis, answeredAtMillis: Infinity }
      const delivered: Delivered = { ...times, movement, node: node.name, answer: null }
      history.deliveries.push(delivered)
      story.asked(delivered)
      const answer = yield* asking(place, node, null, node.writer.move({ ...movement }))
      delivered.answer = answer
      delivered.answeredAtMillis = runtime.nowMillis
      story.heard(delivered)
      if (!triesAgain.has(answer._tag)) return
    }
    yield* Effect.sleep(chance.pick([0, 30, 400]))
  }
})

export const editing = Effect.fnUntraced(function* (
  place: Place,
  { atMillis, change, of, productId, retriesMax }: Edit,
) {
  const { chance, database, history } = place
  yield* Effect.sleep(atMillis)
  for (let round = 0; round <= retriesMax; round++) {
    const node = nodeFor(place, chance.happens(0.5))
    const seen = database.tables.products.get(productId)?.version ?? 1
    const expectedVersion = of === "any" ? null : of === "seen" ? seen : seen - 1
    if (node !== undefined) {
      const edit = node.writer.amend(productId, expectedVersion, { ...change })
      const answer = yield* asking(place, node, null, edit)
      history.editAnswers.push(answer)
      if (!triesAgain.has(answer._tag)) return
    }
    yield* Effect.sleep(chance.pick([0, 30, 400]))
  }
})
