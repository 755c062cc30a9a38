/**
 * What a writer sends finds its rows by index: no statement of the heart reads all of a table that grows, so that the
 * ten millionth order costs what the first did. Asked of PostgreSQL's planner with full scans made dear, since it
 * rightly prefers them while a table is small.
 */
import { PgClient, PgConnection } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { commitStatement, voidStatement } from "../../src/inventory/store/commitStatement.ts"
import * as reads from "../../src/inventory/store/shardReads.ts"
import type { Statement } from "../../src/inventory/store/sqlParameters.ts"
import { DatabaseAddress } from "../../src/platform/Database.ts"
import { nothingAsked } from "../../src/inventory/store/ShardStore.ts"
import { accept, declined, deliver, extend, join, leave, offer, pay, ship } from "./lives.ts"
import {
  amend,
  ann,
  attempt,
  batchWrite,
  cancel,
  expire,
  extension,
  heldPart,
  hold,
  movement,
  newKey,
  order,
  orderOf,
  release,
  returnsOf,
  sell,
} from "./selling.ts"
import { StoreUnderTest } from "./StoreUnderTest.ts"

const growing = new Set([
  "accounts",
  "batches",
  "cart_lines",
  "carts",
  "customer_units",
  "holds",
  "order_lines",
  "orders",
  "payments",
  "pending_returns",
  "products",
  "shipments",
  "stock",
  "stock_movements",
  "waiting_list",
])

interface PlanNode {
  readonly "Node Type": string
  readonly "Relation Name"?: string
  readonly "Index Name"?: string
  readonly "Index Cond"?: string
  readonly "Actual Rows"?: number
  readonly "Actual Loops"?: number
  readonly "Rows Removed by Filter"?: number
  readonly Plans?: ReadonlyArray<PlanNode>
}

/** The tables that a plan reads from one end to the other, by scanning them or a whole index. */
const readWhole = (node: PlanNode): ReadonlyArray<string> => {
  const { "Index Cond": condition, "Node Type": type, "Relation Name": relation = "" } = node
  const isBitmap = type === "Bitmap Index Scan"
  const isScan = type.endsWith("Scan") && type !== "Bitmap Heap Scan" && growing.has(relation)
  const isWhole = (isScan || isBitmap) && condition === undefined
  return [...(isWhole ? [`${type} ${relation}`] : []), ...(node.Plans ?? []).flatMap(readWhole)]
}

/** The conditions under which a plan goes through these indexes. */
const conditionsOn = (node: PlanNode, indexes: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...(indexes.includes(node["Index Name"] ?? "") ? [node["Index Cond"] ?? ""] : []),
  ...(node.Plans ?? []).flatMap((below) => conditionsOn(below, indexes)),
]

const rowsRead = (node: PlanNode, table: string): number => {
  const { "Actual Loops": loops = 1, "Actual Rows": rows = 0, "Rows Removed by Filter": removed = 0 } = node
  const own = node["Relation Name"] === table && node["Node Type"].endsWith("Scan") ? (rows + removed) * loops : 0
  return (node.Plans ?? []).reduce((sum, below) => sum + rowsRead(below, table), own)
}

const planIn = (rows: ReadonlyArray<unknown>): PlanNode => {
  const [row] = rows as ReadonlyArray<{ readonly "QUERY PLAN": ReadonlyArray<{ readonly Plan: PlanNode }> }>
  return row?.["QUERY PLAN"][0]?.Plan ?? assert.fail("no plan")
}

const explainer = Effect.gen(function* () {
  const connection = yield* PgConnection.make(yield* DatabaseAddress)
  for (const way of ["seqscan", "hashjoin", "mergejoin"]) yield* connection.query(`set enable_${way} = off`, [])
  return Effect.fnUntraced(function* ({ parameters, text }: Statement) {
    const { rows } = yield* connection.query(`explain (format json) ${text}`, parameters)
    return planIn(rows)
  })
})

layer(StoreUnderTest.postgres, { excludeTestServices: true })("the statements of a shard", (it) => {
  it.effect("read no growing table as a whole", () =>
    Effect.gen(function* () {
      const explain = yield* explainer
      const [lamp, chair] = [yield* sell({ limitPerCustomer: 3 }), yield* sell({ shard: 1 })]
      const [held, other] = [hold([[chair, 1]]), hold([[lamp, 1]])]
      const placed = order([[lamp, 1]], { ...orderOf(held), held: [heldPart(held, 1)], cartVersion: 1 })
      const ending = cancel(placed, lamp, chair)
      const unpaid = order([[lamp, 1]])
      const [payment, parcel, place] = [extend(placed), ship(placed), join(lamp, 1)]
      const everything = {
        orders: [placed],
        holds: [other],
        extensions: [extension(other, attempt(2))],
        releases: [release(other)],
        returns: returnsOf(ending, 1),
        movements: [movement(lamp, 1)],
        endings: [ending, expire(order([[lamp, 1]]), lamp)],
        amendments: [amend(lamp, { name: "Lamp" })],
        payments: [payment, extend(unpaid, { isExternal: true })],
        settlements: [pay(payment), pay(payment, declined)],
        shipments: [parcel],
        deliveries: [deliver(parcel)],
        joins: [place],
        leaves: [leave(lamp)],
        offers: [offer(place, lamp)],
      }
      const at = { shard: 0, epoch: 1, batch: 1 }
      const keys = [placed.command, newKey()]
      const productIds = [lamp.productId, chair.productId]
      const statements: Readonly<Record<string, Statement>> = {
        "a guarded batch": commitStatement(batchWrite(at, { ...everything, form: "guarded" })),
        "a plain batch": commitStatement(batchWrite(at, { orders: [order([[lamp, 1]])] })),
        "an acceptance": commitStatement(batchWrite(at, { orders: [accept(offer(place, lamp))] })),
        "a void": voidStatement(at),
        inspection: reads.inspection(0, 1),
        products: reads.products(0, productIds),
        facts: reads.facts(0, {
          ...nothingAsked,
          orderKeys: keys,
          movementKeys: keys,
          holds: [held.command],
          heldProducts: productIds,
          statuses: [placed.command.orderId],
          paymentKeys: keys,
          payments: [payment.paymentId],
          shipmentsOf: [placed.command.orderId],
        }),
        "customers' units": reads.customerUnits([
          { productId: lamp.productId, customer: ann },
          { productId: lamp.productId, customer: "ref:eve" },
        ]),
        "due shards": reads.dueShards([0, 1]),
        "expired holds": reads.expiredHolds(0, 10),
        "expired orders": reads.expiredOrders(0, 10),
        "an order to end": reads.endableOrder(placed.command.orderId),
        "pending returns": reads.pendingReturns(0, 10),
        "who waits": reads.waiters(0, productIds, 10),
        "products to offer": reads.productsToOffer(0, 10),
      }
      const found = yield* Effect.forEach(Object.entries(statements), ([name, statement]) =>
        Effect.map(explain(statement), (plan) => [name, ...readWhole(plan)]),
      )
      assert.deepStrictEqual(
        found.filter((row) => row.length > 1),
        [],
      )
    }),
  )

  it.effect("find what is over by its time, however much is not", () =>
    Effect.gen(function* () {
      const explain = yield* explainer
      for (const look of [reads.dueShards([0, 1]), reads.expiredHolds(0, 10), reads.expiredOrders(0, 10)]) {
        const conditions = conditionsOn(yield* explain(look), ["orders_by_expiry", "holds_by_expiry"])
        assert.isNotEmpty(conditions)
        for (const condition of conditions) assert.include(condition, "expires_at")
      }
    }),
  )

  it.effect("count a customer's units by its own orders where few customers have most of them", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const lamp = yield* sell({ limitPerCustomer: 3 })
      yield* sql`
        insert into orders (id, caller, key, fingerprint, home_shard, total, currency, created_at, expires_at)
        select md5('order ' || n)::uuid, md5('caller ' || n % 2)::uuid, n::text, decode(repeat('00', 16), 'hex'), 0, 100,
          'EUR', now(), now() + interval '1 hour' from generate_series(1, 50000) as n`
      yield* sql`
        insert into order_lines (order_id, product_id, quantity, unit_price)
        select md5('order ' || n)::uuid, md5('product ' || n % 50)::uuid, 1, 100 from generate_series(1, 50000) as n`
      yield* sql`analyze orders, order_lines`
      const connection = yield* PgConnection.make(yield* DatabaseAddress)
      yield* connection.query("set enable_seqscan = off", [])
      yield* connection.query("set plan_cache_mode = force_generic_plan", [])
      const counted = reads.customerUnits([{ productId: lamp.productId, customer: ann }])
      const { rows } = yield* connection.query(`explain (format json) ${counted.text}`, counted.parameters)
      const conditions = conditionsOn(planIn(rows), ["order_lines_pkey"])
      assert.isNotEmpty(conditions)
      for (const condition of conditions) assert.include(condition, "order_id")
    }),
  )

  /** Rows that a statement reads of a table, used or not. */
  const readOf = Effect.fnUntraced(function* ({ parameters, text }: Statement, table: string) {
    const connection = yield* PgConnection.make(yield* DatabaseAddress)
    yield* connection.query("set plan_cache_mode = force_generic_plan", [])
    const { rows } = yield* connection.query(`explain (analyze, timing off, format json) ${text}`, parameters)
    return rowsRead(planIn(rows), table)
  })

  it.effect(
    "find who is to be offered what there is by a few rows, however many wait and however few of them fit",
    () =>
      Effect.gen(function* () {
        const sql = yield* PgClient.PgClient
        const [few, none] = [yield* sell({ shard: 3, stocked: 1 }), yield* sell({ shard: 3, stocked: 1 })]
        yield* sql`
        insert into accounts (id, email, name, password_hash)
        select md5('waiter ' || n)::uuid, 'waiter' || n || '@example.com', 'W', '$argon2id$' from generate_series(1, 20000) as n`
        for (const { productId } of [few, none]) {
          yield* sql`
          insert into waiting_list (id, product_id, account_id, shard, quantity, batch, number, joined_at)
          select gen_random_uuid(), ${productId}::uuid, md5('waiter ' || n)::uuid, 3,
            case when ${productId === few.productId}::boolean and n % 10 = 0 then 1 else 2 end, n, 0, now()
          from generate_series(1, 20000) as n`
        }
        yield* sql`analyze waiting_list, accounts, products, stock`
        const places = Effect.fnUntraced(function* (statement: Statement) {
          return yield* readOf(statement, "waiting_list")
        })
        assert.isAtMost(yield* places(reads.waiters(3, [few.productId], 101)), 1_100)
        assert.isAtMost(yield* places(reads.waiters(3, [none.productId], 101)), 10)
        assert.isAtMost(yield* places(reads.productsToOffer(3, 500)), 20)
        assert.isAtMost(yield* places(reads.dueShards([0, 1, 2, 3])), 20)
        assert.isAtMost(yield* places(reads.products(3, [few.productId, none.productId])), 10)
      }),
  )

  it.effect("look at the payments and shipments of their own orders, however many there are of others", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const lamp = yield* sell()
      const [owner] = yield* sql<{
        readonly id: string
      }>`select merchant_id as id from products where id = ${lamp.productId}::uuid`
      yield* sql`
        with placed as (
          insert into orders (id, caller, key, fingerprint, home_shard, status, total, currency, created_at, expires_at, paid_at)
          select md5('sold ' || n)::uuid, md5('buyer ' || n % 2)::uuid, 'sold ' || n, decode(repeat('00', 16), 'hex'), 0, 'shipped',
            100, 'EUR', now(), now() + interval '1 hour', now() from generate_series(1, 20000) as n
          returning id, caller, key
        ), paid as (
          insert into payments (id, order_id, caller, key, fingerprint, method, amount, currency, status, created_at, settled_at)
          select gen_random_uuid(), id, caller, key, decode(repeat('00', 16), 'hex'), 'card', 100, 'EUR', 'succeeded', now(), now()
          from placed
        )
        insert into shipments (id, order_id, merchant_id, carrier, tracking_number, created_at)
        select gen_random_uuid(), id, ${owner?.id ?? ""}::uuid, 'post', '1', now() from placed`
      yield* sql`analyze orders, payments, shipments`
      const [placed, payment] = [order([[lamp, 1]]), extend(order([[lamp, 1]]))]
      const parcel = ship(placed)
      const facts = reads.facts(0, {
        ...nothingAsked,
        statuses: [placed.command.orderId],
        paymentKeys: [newKey()],
        payments: [payment.paymentId],
        shipmentsOf: [placed.command.orderId],
      })
      const parts = {
        payments: [payment],
        settlements: [pay(extend(placed))],
        shipments: [parcel],
        deliveries: [deliver(parcel)],
        endings: [cancel(placed, lamp)],
      }
      const batch = commitStatement(batchWrite({ shard: 0, epoch: 1, batch: 1 }, parts))
      for (const table of ["orders", "payments", "shipments"]) {
        assert.isAtMost((yield* readOf(facts, table)) + (yield* readOf(batch, table)), 20, table)
      }
    }),
  )

  it.effect("would be caught if one did", () =>
    Effect.gen(function* () {
      const explain = yield* explainer
      for (const condition of ["status = 'reserved' and total > 5", "paid_at is null", "true"]) {
        const whole = { text: `select count(*) from orders where ${condition}`, parameters: [] }
        assert.lengthOf(readWhole(yield* explain(whole)), 1)
      }
    }),
  )
})
