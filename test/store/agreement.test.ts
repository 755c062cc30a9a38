/**
 * PostgreSQL and the in-memory model given the same arbitrary batches, most of them wrong in some way: they accept,
 * leave out and refuse the same, and their rows end the same. The simulation's word is worth what this shows.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as fc from "fast-check"
import type { HoldWrite, OfferWrite, OrderWrite } from "../../src/domain/batch.ts"
import { type ChargeResult, type Extend, keyName, type Ship } from "../../src/domain/commands.ts"
import { type CallerId, MerchantId, type OrderId } from "../../src/domain/ids.ts"
import type { Applied } from "../../src/inventory/store/ShardStore.ts"
import {
  accept,
  accountOf,
  decline,
  declined,
  deliver,
  extend,
  join,
  leave,
  offer,
  openAccounts,
  pay,
  refunded,
  ship,
} from "./lives.ts"
import {
  amend,
  attempt,
  batchWrite,
  booksBalance,
  cancel,
  expire,
  extension,
  heldPart,
  hold,
  movement,
  newCaller,
  newKey,
  order,
  orderOf,
  type Parts,
  release,
  sell,
  takeOver,
} from "./selling.ts"
import { merchantId, type ProductToSell, type Rows, type Store, StoreUnderTest } from "./StoreUnderTest.ts"

const otherMerchant = MerchantId.make("00000000-0000-7000-8000-00000000ab1f")
const historiesMax = 30
const wish = fc.nat(9)
/** One in this many. Not for zero, which generators prefer. */
const oneIn = (many: number) => fc.nat(many - 1).map((number) => number === Math.floor(many / 2))
const attemptNumber = fc.constantFrom(1, 1, 2)

const batch = fc.record({
  shard: fc.nat(1),
  form: fc.constantFrom("guarded", "guarded", "guarded", "guarded", "guarded", "plain"),
  orders: fc.array(
    fc.record({
      wish,
      consumes: fc.boolean(),
      repeats: oneIn(4),
      attempt: attemptNumber,
      sellsCart: fc.constantFrom(null, null, "current", "stale"),
    }),
    { maxLength: 2 },
  ),
  /** Each hold is touched once a batch, as the planner sees to. */
  holds: fc.uniqueArray(
    fc.record({
      wish,
      attempt: attemptNumber,
      change: fc.constantFrom("hold", "hold", "hold", "release", "extend", "sweep"),
      ttlMillis: fc.constantFrom(0, 60_000, 60_000),
    }),
    { selector: (row) => row.wish, maxLength: 3 },
  ),
  movements: fc.array(fc.record({ key: fc.nat(5), delta: fc.integer({ min: -3, max: 3 }) }), { maxLength: 1 }),
  /** Each order ends once a batch, as the planner sees to, and each product is edited once. */
  endings: fc.uniqueArray(
    fc.record({
      /** Counted back from the order placed last. */
      order: fc.nat(2),
      expires: oneIn(3),
      isOver: oneIn(4),
      leavesLineOut: oneIn(8),
    }),
    { selector: (row) => row.order, maxLength: 2 },
  ),
  returns: fc.boolean(),
  amendments: fc.array(
    fc.record({
      isStale: fc.constantFrom(false, false, true),
      change: fc.record(
        {
          name: fc.constantFrom("a lamp", "a chair", "a table", ""),
          price: fc.constantFrom(1, 2, 3, 1_000_000_001).map((amount) => ({ amount, currency: "EUR" })),
          limitPerCustomer: fc.constantFrom(null, 9),
          saleStartsAtMillis: fc.constantFrom(null, 5_000),
          paused: fc.boolean(),
          archived: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
    }),
    { maxLength: 1 },
  ),
  /** What somebody does to the cart before the batch. */
  fillsCart: fc.boolean(),
  /** Each order changes once a batch, and each key pays once, as the planner sees to. */
  payments: fc.uniqueArray(
    fc.record({
      order: fc.nat(2),
      key: fc.nat(5),
      isExternal: fc.boolean(),
      extensionMillis: fc.constantFrom(1, 5_000_000),
    }),
    { selector: (row) => row.key, maxLength: 2 },
  ),
  /** Counted back from the payment that began last; of another order now and then. */
  settlements: fc.array(
    fc.record({
      payment: fc.nat(2),
      isAstray: oneIn(8),
      result: fc.constantFrom<Array<ChargeResult>>({ _tag: "Succeeded" }, { _tag: "Succeeded" }, declined, refunded),
    }),
    { maxLength: 2 },
  ),
  /** Mostly of the orders paid last. */
  shipments: fc.array(
    fc.record({ isPaid: fc.constantFrom(true, true, false), order: fc.nat(2), merchant: fc.nat(2) }),
    {
      maxLength: 2,
    },
  ),
  deliveries: fc.array(fc.record({ shipment: fc.nat(2), isAstray: oneIn(8) }), { maxLength: 2 }),
  /** Each place is given or taken once a batch. */
  places: fc.uniqueArray(
    fc.record({
      account: fc.nat(2),
      change: fc.constantFrom("join", "join", "leave", "offer", "offer", "offerMore"),
      quantity: fc.integer({ min: 1, max: 3 }),
    }),
    { selector: (row) => row.account, maxLength: 3 },
  ),
  offerTtlMillis: fc.constantFrom(0, 60_000, 60_000),
  /** Each offer is answered once a batch; counted back from the one made last. */
  answers: fc.uniqueArray(
    fc.record({ offer: fc.nat(2), way: fc.constantFrom("accept", "accept", "decline", "sweep"), isDearer: oneIn(8) }),
    { selector: (row) => row.offer, maxLength: 2 },
  ),
})
const histories = fc.sample(fc.array(batch, { minLength: 10, maxLength: 30, size: "max" }), historiesMax)

/** What was answered, without the time; of a refusal only that it was one, since a batch may break several rules. */
const answerOf = (applied: Applied) => {
  const byName = (left: object, right: object) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1)
  const { cartsChanged, payments, stock, unamended, undelivered, unended, unextended, units, unmoved } = applied
  const { unoffered, unplaced, unshipped } = applied
  return {
    payments: payments.toSorted(byName),
    unshipped,
    undelivered,
    unoffered,
    unplaced: unplaced.toSorted(),
    cartsChanged: cartsChanged.toSorted(),
    unmoved,
    unextended,
    unended: unended.toSorted(),
    unamended,
    stock: stock.toSorted(byName),
    units: units.toSorted(byName),
  }
}

const rowsOf = (rows: Rows, productIds: ReadonlySet<string>, callers: ReadonlySet<string>) => {
  const { carts, customerUnits, holds, orderLines, orders, payments, pendingReturns, products } = rows
  const { shipments, stock, waitingList } = rows
  const lines = orderLines.filter((row) => productIds.has(row.productId))
  const placed = new Set(lines.map((row) => row.orderId))
  return [
    lines,
    ...[orders, payments, shipments].map((table) => table.filter((row) => placed.has(row.orderId))),
    carts.flatMap((row) => (callers.has(row.caller) ? [{ ...row, lines: JSON.stringify(row.lines) }] : [])),
    ...[stock, products, holds, pendingReturns, customerUnits, waitingList].map((table) =>
      table.filter((row) => productIds.has(row.productId)),
    ),
  ].map((table) => table.map((row) => JSON.stringify(row, Object.keys(row).toSorted())).toSorted())
}

/** The batches of shards from these numbers on, without their times; events of one batch are told in any order. */
const batchesSince = ({ batches }: Rows, numbers: ReadonlyArray<number>) =>
  numbers.map((first, shard) =>
    batches
      .filter((row) => row.shard === shard && row.batch > first)
      .map((row) => row.events.map((event) => JSON.stringify(event, Object.keys(event).toSorted())).toSorted()),
  )

/** What is read before a batch, as the actor reads it: the product, and everybody's units of it. */
const readBefore = Effect.fnUntraced(function* (store: Store, of: ProductToSell, callers: ReadonlyArray<CallerId>) {
  const { productId, shard } = of
  const [state] = yield* store.products(shard, [productId])
  const units = yield* store.units(
    shard,
    callers.map((customer) => ({ productId, customer })),
  )
  const returns = (yield* store.pendingReturns(shard, 1_000)).filter((row) => row.productId === productId)
  const waiters = yield* store.waiters(shard, [productId], 10)
  const isDue = (yield* store.productsToOffer(shard, 1_000)).includes(productId)
  const had = new Map(units.map((row) => [row.customer, row.units]))
  return { state: state ?? assert.fail("the product is gone"), had, returns, waiters, isDue }
})

layer(StoreUnderTest.postgres, { excludeTestServices: true })("PostgreSQL and the in-memory model", (it) => {
  it.effect.each(histories.map((history, number) => ({ history, number })))("agree on history $number", ({ history }) =>
    Effect.gen(function* () {
      const real = yield* StoreUnderTest
      const model = yield* Effect.provide(StoreUnderTest, Layer.fresh(StoreUnderTest.memory))
      const products = [
        yield* sell({ stocked: 30, limitPerCustomer: 9 }),
        yield* sell({ shard: 1, stocked: 30, merchantId: otherMerchant }),
      ] as const
      for (const product of products) yield* model.createProduct(product)
      const callers = [newCaller(), newCaller(), newCaller()] as const
      yield* openAccounts(...callers)
      const wishes = [1, 2, 1, 3, 1, 1, 2, 1, 3, 1].map((quantity) => ({
        key: newKey(callers[quantity - 1]),
        quantity,
      }))
      const keys = Array.from({ length: 6 }, () => newKey())
      const paymentKeys = Array.from({ length: 6 }, () => newKey())
      const carts = new Map<CallerId, number>()
      /** The holds that each shard has made. */
      const held: ReadonlyArray<Array<HoldWrite>> = [[], []]
      const placed: Array<{ readonly order: OrderWrite; readonly lines: ReadonlyArray<ProductToSell> }> = []

      const began: Array<Extend> = []
      const sent: Array<Ship> = []
      const paid = new Set<OrderId>()
      const made: ReadonlyArray<Array<OfferWrite>> = [[], []]

      type Before = Effect.Success<ReturnType<typeof readBefore>>
      const partsOf = (drawn: (typeof history)[number], { had, returns, state, waiters }: Before): Parts => {
        const [product, other] = drawn.shard === 0 ? products : [products[1], products[0]]
        const counted = { ...product, price: state.price, countsUnits: state.countsUnits }
        const holdOf = (number: number, by: number, ttlMillis = 60_000, of = counted) => {
          const { key, quantity } = wishes[number] ?? assert.fail("no such wish")
          return hold([[of, quantity]], { key, attempt: attempt(by), ttlMillis, unitsBefore: had.get(key.caller) ?? 0 })
        }
        const changes = drawn.holds.map((row) => ({ ...row, held: holdOf(row.wish, row.attempt, row.ttlMillis) }))
        const changing = (change: string) => changes.filter((row) => row.change === change)
        const checkouts = new Set<CallerId>()
        const everyOrder = drawn.orders.map((row) => {
          const elsewhere = held[other.shard]?.at(-1 - (row.wish % 3)) ?? holdOf(row.wish, row.attempt, 0, other)
          const { caller } = elsewhere.command
          const parts = row.consumes ? [heldPart(elsewhere, other.shard)] : []
          const name = row.consumes || row.repeats ? orderOf(elsewhere) : { key: newKey(caller) }
          const options = { ...name, held: parts, unitsBefore: had.get(caller) ?? 0 }
          if (row.sellsCart === null || checkouts.has(caller)) return order([[counted, 1]], options)
          checkouts.add(caller)
          const cartVersion = (carts.get(caller) ?? 1) - (row.sellsCart === "stale" ? 1 : 0)
          return order([[counted, 1]], { ...options, cartVersion })
        })
        const answers = drawn.answers.flatMap((row) => {
          const offered = made[drawn.shard]?.at(-1 - row.offer)
          return offered === undefined ? [] : [{ ...row, offered }]
        })
        const accepted = answers.flatMap(({ isDearer, offered, way }) =>
          way === "accept" ? [accept(isDearer ? { ...offered, unitPrice: 7 } : offered, undefined, drawn.shard)] : [],
        )
        // Each key is written once a batch, as the planner sees to.
        const orders = [...new Map([...everyOrder, ...accepted].map((row) => [keyName(row.command), row])).values()]
        const endings = drawn.endings.flatMap((row) => {
          const ended = placed.at(-1 - row.order)
          if (ended === undefined) return []
          const lines = row.leavesLineOut ? ended.lines.slice(1) : ended.lines
          return [row.expires ? expire(ended.order, ...lines) : cancel(ended.order, ...lines)]
        })
        const changed = new Set(endings.map((row) => row.orderId))
        const once = <Change extends { readonly orderId: OrderId }>(change: Change): ReadonlyArray<Change> => {
          if (changed.has(change.orderId)) return []
          changed.add(change.orderId)
          return [change]
        }
        const payments = drawn.payments.flatMap(({ extensionMillis, isExternal, key, order: number }) => {
          const payable = placed.at(-1 - number)
          const name = paymentKeys[key] ?? assert.fail("no such key")
          return payable === undefined ? [] : once(extend(payable.order, { key: name, isExternal, extensionMillis }))
        })
        const settlements = drawn.settlements.flatMap(({ isAstray, payment: number, result }) => {
          const payment = began.at(-1 - number)
          const orderId = isAstray ? placed.at(-1)?.order.command.orderId : payment?.orderId
          return payment === undefined || orderId === undefined ? [] : once(pay({ ...payment, orderId }, result))
        })
        const shipments = drawn.shipments.flatMap(({ isPaid, merchant, order: number }) => {
          const shipped = (isPaid ? placed.filter((row) => paid.has(row.order.command.orderId)) : placed).at(
            -1 - number,
          )
          const by = [merchantId, otherMerchant][merchant] ?? MerchantId.make(callers[0])
          return shipped === undefined ? [] : once(ship(shipped.order, by))
        })
        const deliveries = drawn.deliveries.flatMap(({ isAstray, shipment: number }) => {
          const shipment = sent.at(-1 - number)
          const orderId = isAstray ? placed.at(-1)?.order.command.orderId : shipment?.orderId
          return shipment === undefined || orderId === undefined ? [] : once(deliver({ ...shipment, orderId }))
        })
        const callerOf = (account: number): CallerId => callers[account] ?? callers[0]
        const placesOf = (change: string) => drawn.places.filter((row) => row.change === change)
        const offersOf = (change: "offer" | "offerMore") =>
          placesOf(change).flatMap(({ account, quantity }) => {
            const waiter = waiters.find((row) => row.accountId === accountOf(callerOf(account)))
            // Now and then one who does not wait, or not for so many.
            const place = waiter ?? join(product, quantity, callerOf(account))
            const wanted = change === "offer" ? place : { ...place, quantity: place.quantity + 1 }
            return [offer(wanted, counted, had.get(callerOf(account)) ?? 0)]
          })
        return {
          form: drawn.form,
          orders,
          holds: changing("hold").map((row) => row.held),
          extensions: changing("extend").map((row) => extension(row.held, attempt(row.attempt), row.ttlMillis)),
          releases: [
            ...changing("release").map((row) => release(row.held)),
            ...changing("sweep").map((row) => release(row.held, { onlyExpired: true })),
            ...answers.flatMap(({ offered, way }) => (way === "accept" ? [] : [decline(offered, way === "sweep")])),
          ],
          movements: drawn.movements.map(({ delta, key }) => movement(product, delta, keys[key])),
          endings,
          returns: drawn.returns ? returns : [],
          amendments: drawn.amendments.map(({ change, isStale }) =>
            amend(product, change, state.version + (isStale ? 1 : 0)),
          ),
          payments,
          settlements,
          shipments,
          deliveries,
          joins: placesOf("join").map(({ account, quantity }) => join(product, quantity, callerOf(account))),
          leaves: placesOf("leave").map(({ account }) => leave(product, callerOf(account))),
          offers: [...offersOf("offer"), ...offersOf("offerMore")],
          offerTtlMillis: drawn.offerTtlMillis,
        }
      }

      const sides = yield* Effect.forEach([real.first, model.first], (store) =>
        Effect.all([takeOver(store, 0), takeOver(store, 1)]),
      )
      const before = sides[0]?.map((writer) => writer.batch) ?? []
      for (const drawn of history) {
        const [product, other] = drawn.shard === 0 ? products : [products[1], products[0]]
        for (const [number, caller] of callers.entries()) {
          if (!drawn.fillsCart || number !== drawn.shard) continue
          const lines = [{ productId: product.productId, quantity: 1 }]
          const versions = [yield* real.fillCart(caller, lines), yield* model.fillCart(caller, lines)]
          assert.strictEqual(versions[0], versions[1])
          carts.set(caller, versions[0] ?? 1)
        }
        for (const row of drawn.endings) {
          const ended = placed.at(-1 - row.order)?.order.command.orderId
          if (ended === undefined || !row.isOver) continue
          yield* real.ageOrder(ended)
          yield* model.ageOrder(ended)
        }
        const known = yield* readBefore(real.first, product, callers)
        assert.deepStrictEqual(yield* readBefore(model.first, product, callers), known)
        const parts = partsOf(drawn, known)
        const answers = yield* Effect.forEach(sides, (writers) => {
          const writer = writers[drawn.shard] ?? writers[0]
          const at = { shard: drawn.shard, epoch: writer.epoch, batch: writer.batch + 1 }
          return Effect.match(writer.store.commit(batchWrite(at, parts)), {
            onFailure: (error) => error._tag,
            onSuccess: (outcome) => {
              if (outcome._tag === "NotApplied") return outcome._tag
              writer.batch += 1
              return answerOf(outcome)
            },
          })
        })
        assert.deepStrictEqual(answers[0], answers[1], JSON.stringify(history))
        const [answer] = answers
        if (answer === undefined || typeof answer === "string") continue
        held[drawn.shard]?.push(...(parts.holds ?? []))
        made[drawn.shard]?.push(...(parts.offers ?? []).filter((row) => !answer.unoffered.includes(row)))
        began.push(...(parts.payments ?? []))
        sent.push(...(parts.shipments ?? []).filter((row) => !answer.unshipped.includes(row.shipmentId)))
        const succeeded = new Set(answer.payments.flatMap((row) => (row.status === "succeeded" ? [row.paymentId] : [])))
        for (const row of [...(parts.payments ?? []), ...(parts.settlements ?? [])]) {
          if (succeeded.has(row.paymentId)) paid.add(row.orderId)
        }
        for (const row of parts.orders ?? []) {
          const { caller, cartVersion, orderId } = row.command
          if (answer.unplaced.includes(orderId)) continue
          const sold = new Set(
            [...row.lines, ...row.command.held.flatMap((part) => part.lines)].map((line) => line.productId),
          )
          placed.push({ order: row, lines: [product, other].filter(({ productId }) => sold.has(productId)) })
          if (cartVersion !== null) carts.set(caller, cartVersion + 1)
        }
      }
      const productIds = new Set<string>(products.map((product) => product.productId))
      const names = new Set<string>(callers)
      const [rows, modelRows] = [yield* real.rows, yield* model.rows]
      assert.deepStrictEqual(rowsOf(rows, productIds, names), rowsOf(modelRows, productIds, names))
      assert.deepStrictEqual(batchesSince(rows, before), batchesSince(modelRows, [0, 0]))
      yield* booksBalance
      yield* Effect.provideService(booksBalance, StoreUnderTest, model)
    }),
  )
})
