/**
 * What a crowd does on PostgreSQL, drawn from a seed: a few products in several shards, wishes that share keys, carts of
 * a few accounts, and each deed with the answer it got. Which deeds meet is left to the machine.
 */
import { PgClient } from "@effect/sql-pg"
import { Clock, Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { Carts } from "../../src/carts/Carts.ts"
import type { ProductChange } from "../../src/domain/commands.ts"
import { CallerId, type OrderId, type ProductId } from "../../src/domain/ids.ts"
import { OrderCoordinator, type OrderRequest } from "../../src/inventory/OrderCoordinator.ts"
import { OrderEnding } from "../../src/inventory/OrderEnding.ts"
import { ProductWriter } from "../../src/inventory/ProductWriter.ts"
import { Orders } from "../../src/orders/Orders.ts"
import { accountBuyer } from "../../src/orders/placing.ts"
import { makeMerchant, makeProduct, newCaller, reserve, restock } from "../inventory/fixtures.ts"
import type { Chance } from "../simulation/machine/chance.ts"
import { answerOf } from "../simulation/audit/history.ts"

/** How soon the quick reservations run out. */
const quickTtlMillis = 400
const price = 1_000

const makeAccount = Effect.fnUntraced(function* () {
  const sql = yield* PgClient.PgClient
  const id = SecureRandom.uuidV7Unsafe()
  yield* sql`insert into accounts (id, email, name, password_hash)
    values (${id}::uuid, ${`${id}@example.com`}, 'A', '$argon2id$x')`
  return CallerId.make(id)
})

const drawChange = (chance: Chance): ProductChange =>
  chance.pick<ProductChange>([
    { price: { amount: chance.between(1, 3_000), currency: "EUR" } },
    { price: { amount: chance.between(1, 3_000), currency: "EUR" } },
    { limitPerCustomer: chance.pick([null, 1, 2, 4]) },
    { paused: chance.happens(0.3) },
    { archived: false, paused: false },
    { archived: chance.happens(0.3) },
    { saleStartsAtMillis: null, name: "Edited" },
  ])

const makeProducts = Effect.fnUntraced(function* (chance: Chance, shards: number) {
  const merchant = yield* makeMerchant()
  const products: Array<ProductId> = []
  for (let number = 0; number < 2 * shards; number++) {
    const limit = number === shards + 1 ? { limitPerCustomer: 2 } : {}
    products.push(yield* makeProduct(merchant, chance.between(5, 60), { shard: number % shards, price, ...limit }))
  }
  return products
})

/** Wishes of callers who come again; some run out while the crowd is there. */
const drawWishes = (chance: Chance, products: ReadonlyArray<ProductId>): ReadonlyArray<OrderRequest> => {
  const callers = Array.from({ length: 40 }, newCaller)
  return Array.from({ length: 250 }, () => {
    const some = products.filter(() => chance.happens(0.3))
    const wanted = some.length === 0 ? [chance.pick(products)] : some
    const caller = chance.pick(callers)
    const lines = wanted.map((productId) => [productId, chance.between(1, 2)] as const)
    const reservationTtlMillis = chance.happens(0.4) ? quickTtlMillis : 900_000
    const wish = reserve(lines, { caller, reservationTtlMillis })
    return { ...wish, holdFingerprint: wish.fingerprint }
  })
}

/** Places a wish under a new id, and notes the order where one was placed. */
const ordering = Effect.fnUntraced(function* (wish: OrderRequest, placed: Array<OrderRequest>) {
  const coordinator = yield* OrderCoordinator
  const request = { ...wish, orderId: reserve([]).orderId }
  const placing = coordinator.place(request, (yield* Clock.currentTimeMillis) + 20_000)
  return {
    request,
    placing: Effect.tap(placing, ({ _tag }) => Effect.sync(() => _tag === "Accepted" && placed.push(request))),
  }
})

/** A cart is filled, then sold from two tabs at once under two keys, while a third may change it. */
const checkingOut = Effect.fnUntraced(function* (
  chance: Chance,
  account: CallerId,
  products: ReadonlyArray<ProductId>,
) {
  const carts = yield* Carts
  const orders = yield* Orders
  const rounds: Array<{ readonly isEdited: boolean; readonly sold: ReadonlyArray<OrderId> }> = []
  for (let round = 0; round < 6; round++) {
    const fill = Effect.suspend(() => Effect.exit(carts.setLine(account, chance.pick(products), chance.between(1, 2))))
    yield* carts.clear(account)
    yield* fill
    yield* fill
    const isEdited = chance.happens(0.4)
    const tab = Effect.suspend(() =>
      orders.checkout(accountBuyer(account), { idempotencyKey: SecureRandom.uuidV7Unsafe(), expectedTotal: null }),
    ).pipe(
      Effect.map((outcome) => (outcome._tag === "Placed" ? [outcome.order.id] : [])),
      Effect.catchTag("Busy", () => Effect.succeed([])),
    )
    const [one, other] = yield* Effect.all([tab, tab, isEdited ? fill : Effect.void], { concurrency: "unbounded" })
    rounds.push({ isEdited, sold: [...one, ...other] })
  }
  return rounds
})

export const drawMarket = Effect.fnUntraced(function* (chance: Chance, shards: number) {
  const ending = yield* OrderEnding
  const writer = yield* ProductWriter
  const products = yield* makeProducts(chance, shards)
  const accounts = yield* Effect.forEach(Array.from({ length: 5 }), makeAccount)
  const wishes = drawWishes(chance, products)
  const placed: Array<OrderRequest> = []
  const versions = new Map(products.map((productId) => [productId, 1]))

  const cancel = Effect.fnUntraced(function* () {
    const request = placed.length === 0 ? undefined : chance.pick(placed.slice(-60))
    if (request === undefined) return null
    const isOwner = chance.happens(0.85)
    const outcome = ending.cancel(isOwner ? request.caller : newCaller(), request.orderId)
    const known = Effect.map(outcome, (found) => found ?? ({ _tag: "NotFound" } as const))
    return { request, isOwner, answer: answerOf(yield* Effect.exit(known)) }
  })
  /** Some hang up, and some who got an answer cancel one of the orders that are there. */
  const order = Effect.fnUntraced(function* (at: number) {
    const { placing, request } = yield* ordering(chance.pick(wishes), placed)
    for (let breath = at % 7; breath > 0; breath--) yield* Effect.yieldNow
    const hungUp = Effect.as(Effect.yieldNow, { _tag: "HungUp" } as const)
    const exit = yield* Effect.exit(chance.happens(0.1) ? Effect.raceFirst(placing, hungUp) : placing)
    const cancellation = chance.happens(0.3) ? yield* cancel() : null
    return { request, answer: answerOf(exit), cancellation }
  })
  const edit = Effect.fnUntraced(function* () {
    const productId = chance.pick(products)
    const seen = versions.get(productId) ?? 1
    const expected = chance.pick([seen, seen, null, seen - 1])
    const change = drawChange(chance)
    const answer = answerOf(yield* Effect.exit(writer.amend(productId, expected, change)))
    if (answer._tag === "Amended") versions.set(productId, Math.max(versions.get(productId) ?? 1, answer.version))
    return { productId, expected, change, answer }
  })
  const move = Effect.fnUntraced(function* () {
    const movement = restock(chance.pick(products), chance.pick([-2, 3, 5]))
    return answerOf(yield* Effect.exit(writer.move(movement)))
  })
  const checkOut = (at: number) => checkingOut(chance, accounts[at] ?? chance.pick(accounts), products)
  /** Each wish once more, without haste: its key answers, whatever became of it. */
  const calmly = Effect.forEach(
    wishes,
    (wish) => Effect.flatMap(ordering(wish, placed), ({ placing }) => Effect.exit(placing)),
    { concurrency: 10, discard: true },
  )
  return { price, products, order, edit, move, checkOut, calmly }
})

export type Market = Effect.Success<ReturnType<typeof drawMarket>>
