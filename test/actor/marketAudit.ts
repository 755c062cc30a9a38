/**
 * The answers that a crowd got on PostgreSQL, held against the rows it left: orders and cancellations by their status,
 * edits by their versions, carts by what was sold of them, and each price by the edits that the log has before it.
 */
import { assert } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import type { ProductId } from "../../src/domain/ids.ts"
import type { Market } from "./market.ts"

type AnswersOf<Deed extends "order" | "edit" | "checkOut" | "move"> = ReadonlyArray<
  Effect.Success<ReturnType<Market[Deed]>>
>

export interface Answers {
  readonly orders: AnswersOf<"order">
  readonly edits: AnswersOf<"edit">
  readonly checkouts: AnswersOf<"checkOut">
  readonly movements: AnswersOf<"move">
}

interface OrderRow {
  readonly id: string
  readonly caller: string
  readonly key: string
  readonly status: string
}

export const checkAnswers = Effect.fnUntraced(function* (market: Market, answers: Answers) {
  const sql = yield* PgClient.PgClient
  const rows = yield* sql<OrderRow>`
    select id, caller, key, status from orders o where exists (
      select from order_lines l where l.order_id = o.id and l.product_id::text = any (${market.products}::text[])
    )`
  const byId = new Map(rows.map((row) => [row.id, row]))
  checkOrders(byId, answers.orders)
  checkCancellations(byId, answers.orders)
  checkCheckouts(byId, answers.checkouts)
  yield* checkEdits(market, answers.edits)
  const tags = tagsOf(answers)
  const mustBeSeen = ["order Accepted", "order Repeated", "order Refused", "cancel Cancelled"]
  for (const tag of [...mustBeSeen, "cancel NotFound", "edit Amended", "edit Refused", "move Moved"]) {
    assert.isAbove(tags.get(tag) ?? 0, 0, tag)
  }
  const statuses = new Set(rows.map((row) => row.status))
  assert.deepStrictEqual([...statuses].toSorted(), ["cancelled", "expired", "reserved"])
})

const checkOrders = (rows: ReadonlyMap<string, OrderRow>, orders: Answers["orders"]): void => {
  for (const { answer, request } of orders) {
    const row = rows.get(request.orderId)
    if (answer._tag === "Accepted") assert.strictEqual(row?.key, request.key)
    if (answer._tag === "Refused" || answer._tag === "Busy") assert.isUndefined(row, "a ghost")
    if (answer._tag === "Repeated") assert.strictEqual(rows.get(answer.orderId)?.key, request.key)
  }
}

const checkCancellations = (rows: ReadonlyMap<string, OrderRow>, orders: Answers["orders"]): void => {
  const asked = new Set<string>()
  for (const { cancellation } of orders) {
    if (cancellation === null) continue
    const { answer, isOwner, request } = cancellation
    const status = rows.get(request.orderId)?.status
    if (!isOwner) assert.strictEqual(answer._tag, "NotFound", "another's order")
    else asked.add(request.orderId)
    if (answer._tag === "Cancelled" || answer._tag === "AlreadyCancelled") assert.strictEqual(status, "cancelled")
    if (answer._tag === "Refused") assert.strictEqual(status, "expired")
  }
  for (const row of rows.values()) if (row.status === "cancelled") assert.isTrue(asked.has(row.id), "nobody asked")
}

const checkCheckouts = (rows: ReadonlyMap<string, OrderRow>, checkouts: Answers["checkouts"]): void => {
  const rounds = checkouts.flat()
  for (const { isEdited, sold } of rounds) {
    for (const orderId of sold) assert.isTrue(rows.has(orderId), "a checkout was answered, and its order is not there")
    if (!isEdited) assert.isAtMost(sold.length, 1, "one cart sold twice")
  }
  assert.isAbove(rounds.filter(({ sold }) => sold.length > 0).length, 0, "carts were sold")
}

interface PriceRow {
  readonly productId: ProductId
  readonly unitPrice: number
  /** How many edits of it the log has before the batch that took the line, and after that batch. */
  readonly versionBefore: number
  readonly versionAfter: number
}

/** Versions rise one by one, stale ones change nothing, and a line of its home's shard has the price of its version. */
const checkEdits = Effect.fnUntraced(function* ({ price, products }: Market, edits: Answers["edits"]) {
  const sql = yield* PgClient.PgClient
  const versions = yield* sql<{ readonly id: ProductId; readonly version: number }>`select id, version from products`
  const prices = new Map(products.map((productId) => [`${productId}/1`, price]))
  for (const productId of products) {
    const made = edits.flatMap((edit) =>
      edit.productId === productId && edit.answer._tag === "Amended" ? [{ ...edit, version: edit.answer.version }] : [],
    )
    const reached = new Set(made.map(({ version }) => version))
    const last = versions.find((row) => row.id === productId)?.version ?? 0
    for (let version = 2; version <= last; version++) {
      assert.isTrue(reached.has(version), `version ${version} of a product, and nobody was told of it`)
      const priced = made.find((edit) => edit.version === version && edit.change.price !== undefined)
      prices.set(
        `${productId}/${version}`,
        priced?.change.price?.amount ?? prices.get(`${productId}/${version - 1}`) ?? 0,
      )
    }
    for (const { change, expected, version } of made) {
      // Archiving what is archived is answered with the version that is there.
      if (expected !== null && change.archived !== true) assert.strictEqual(version, expected + 1, "a stale edit")
    }
  }
  for (const row of yield* sql<PriceRow>`
    with events as materialized (
      select b.shard, b.batch, e.event ->> 'type' as type, e.event ->> 'orderId' as order_id,
        e.event ->> 'productId' as product_id, (e.event ->> 'version')::integer as version
      from batches b cross join lateral json_array_elements(b.events) as e (event)
    )
    select l.product_id as "productId", l.unit_price::float8 as "unitPrice",
      coalesce((select max(a.version) from events a where a.product_id = l.product_id::text and a.batch < r.batch), 1) as "versionBefore",
      coalesce((select max(a.version) from events a where a.product_id = l.product_id::text and a.batch <= r.batch), 1) as "versionAfter"
    from events r join order_lines l on l.order_id::text = r.order_id join products p on p.id = l.product_id and p.shard = r.shard
    where r.type = 'order.reserved' and l.product_id::text = any (${products}::text[])`) {
    const paid = [row.versionBefore, row.versionAfter].map((version) => prices.get(`${row.productId}/${version}`))
    assert.include(paid, row.unitPrice, `the price of ${row.productId}`)
  }
})

const tagsOf = (answers: Answers): ReadonlyMap<string, number> => {
  const tags = new Map<string, number>()
  const count = (name: string): void => void tags.set(name, (tags.get(name) ?? 0) + 1)
  for (const { answer, cancellation } of answers.orders) {
    count(`order ${answer._tag}`)
    if (cancellation !== null) count(`cancel ${cancellation.answer._tag}`)
  }
  for (const { answer } of answers.edits) count(`edit ${answer._tag}`)
  for (const { _tag } of answers.movements) count(`move ${_tag}`)
  return tags
}
