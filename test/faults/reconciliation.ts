/**
 * The crowd's record held against the rows, once the fault is over: who was told of an order finds it as it was asked
 * for, who was told no finds none, and whoever knows nothing asks again with the same key and learns the same as the
 * rows say. Must stay true: the rows are read before anybody asks again, or the asking would hide a ghost.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { StockReading } from "../linearizability/orderHistory.ts"
import type { Attempt, Crowd } from "./crowd.ts"
import type { Market } from "./market.ts"
import { Stage } from "./stage.ts"
import type { FaultRow } from "./summary.ts"
import type { Line, OrderAnswer } from "./wire.ts"

const askingAtOnce = 16
const askAgainMillis = 50
/** Far more than a service that is healthy again ever needs. */
const askingMax = 200

interface Row {
  readonly key: string
  readonly orderId: string
  readonly lines: string
}

interface Stock {
  readonly productId: string
  readonly stocked: number
  readonly available: number
  /** For orders whose attempt ended before it could give them back; they return when their time is over. */
  readonly held: number
}

/** Orders are compared as this text: products in order, each with its units. */
const textOf = (lines: ReadonlyArray<Line>): string =>
  lines
    .map(({ productId, quantity }) => `${productId}=${quantity}`)
    .toSorted()
    .join(" ")

/** Every order of this market's products, by its key. */
const storedOrders = Effect.fnUntraced(function* ({ products }: Market) {
  const { sql } = yield* Stage
  const ids = products.map(({ productId }) => productId)
  const rows = yield* sql(
    Effect.flatMap(
      SqlClient.SqlClient,
      (client) => client<Row>`select o.key, o.id as "orderId",
        string_agg(l.product_id || '=' || l.quantity, ' ' order by l.product_id::text collate "C") as lines
        from orders o join order_lines l on l.order_id = o.id
        where o.id in (select order_id from order_lines where product_id in ${client.in(ids)}) group by o.key, o.id`,
    ),
  )
  return Map.groupBy(rows, ({ key }) => key)
})

const stockLeft = Effect.fnUntraced(function* ({ products }: Market) {
  const { sql } = yield* Stage
  const ids = products.map(({ productId }) => productId)
  return yield* sql(
    Effect.flatMap(
      SqlClient.SqlClient,
      (client) => client<Stock>`select s.product_id as "productId", s.stocked, s.available,
        coalesce((select sum(h.quantity) from holds h where h.product_id = s.product_id), 0)::int as held
        from stock s where s.product_id in ${client.in(ids)}`,
    ),
  )
})

const isOpenEnd = ({ answer }: Attempt) => answer._tag === "unknown" || answer._tag === "lost"
const isDecided = (answer: OrderAnswer) => answer._tag === "placed" || answer._tag === "out_of_stock"

/** Asks until the answer is one that settles it. */
const learn = (crowd: Crowd, { key, lines }: Attempt) =>
  crowd.place(key, lines).pipe(
    Effect.tap((answer) => (isDecided(answer) ? Effect.void : Effect.sleep(askAgainMillis))),
    Effect.repeat({ until: isDecided, times: askingMax }),
  )

export interface Reconciled {
  readonly row: FaultRow
  /** In words, whatever does not agree. */
  readonly contradictions: ReadonlyArray<string>
  /** What is left of each product that nothing is held of any more. */
  readonly readings: ReadonlyArray<StockReading>
}

export const reconcile = Effect.fnUntraced(function* (fault: string, crowd: Crowd) {
  const under = [...crowd.attempts]
  const byKey = Map.groupBy(under, ({ key }) => key)
  const open = [...byKey.values()].flatMap((attempts) => {
    const [first] = attempts
    return first !== undefined && attempts.some(isOpenEnd) ? [first] : []
  })
  const before = yield* storedOrders(crowd.market)
  const answers = yield* Effect.forEach(open, (attempt) => learn(crowd, attempt), { concurrency: askingAtOnce })
  const settled = new Map(open.map(({ key }, at) => [key, answers[at]] as const))
  const stored = yield* storedOrders(crowd.market)
  const all = Map.groupBy(crowd.attempts, ({ key }) => key)
  const invokedAt = performance.now()
  const left = yield* stockLeft(crowd.market)
  const answeredAt = performance.now()
  const readings = left.flatMap(({ available, held, productId }) =>
    held === 0 ? [{ productId, available, invokedAt, answeredAt }] : [],
  )

  const acknowledgedLost = [...all].flatMap(([key, attempts]) => {
    const told = new Set(attempts.flatMap(({ answer }) => (answer._tag === "placed" ? [answer.orderId] : [])))
    const rows = stored.get(key) ?? []
    return [...told].flatMap((orderId) => (rows.some((row) => row.orderId === orderId) ? [] : [`${key}: ${orderId}`]))
  })
  const ghosts = [...before.keys(), ...stored.keys()].flatMap((key) => {
    const attempts = all.get(key) ?? []
    return attempts.every(({ answer }) => answer._tag === "busy" || answer._tag === "out_of_stock") ? [key] : []
  })
  const contradictions = [
    ...acknowledgedLost.map((lost) => `confirmed, and not there: ${lost}`),
    ...new Set(ghosts.map((key) => `there, and nobody was told: ${key}`)),
    ...[...stored].flatMap(([key, rows]) => {
      const wanted = textOf(all.get(key)?.[0]?.lines ?? [])
      return rows.length === 1 && rows[0]?.lines === wanted ? [] : [`not as it was asked for: ${JSON.stringify(rows)}`]
    }),
    ...open.flatMap(({ key }) => checkSettled(key, settled.get(key), before.get(key)?.[0])),
    ...crowd.attempts.flatMap(({ answer }) => (answer._tag === "strange" ? [`${answer.status}: ${answer.body}`] : [])),
    ...checkStock(crowd.market, [...stored.values()].flat(), left),
  ]
  const keysThere = (attempts: ReadonlyArray<Attempt>, rows: ReadonlyMap<string, unknown>) =>
    new Set(attempts.flatMap(({ key }) => (rows.has(key) ? [key] : []))).size
  const told = (...tags: ReadonlyArray<OrderAnswer["_tag"]>) => under.filter(({ answer }) => tags.includes(answer._tag))
  const row: FaultRow = {
    fault,
    requests: crowd.attempts.length,
    placed: keysThere(told("placed"), stored),
    refused: told("out_of_stock").length,
    busy: told("busy").length,
    unknown: told("unknown").length,
    unknownPlaced: keysThere(told("unknown"), before),
    lost: told("lost").length,
    lostPlaced: keysThere(told("lost"), before),
    acknowledgedLost: acknowledgedLost.length,
    ghosts: new Set(ghosts).size,
  }
  return { row, contradictions, readings } satisfies Reconciled
})

/** Whose outcome was open is told of the order that was there, or of one that was placed now, or that there is none. */
const checkSettled = (key: string, answer: OrderAnswer | undefined, row: Row | undefined): ReadonlyArray<string> => {
  if (answer === undefined || !isDecided(answer)) return [`never settled: ${key} ${JSON.stringify(answer)}`]
  if (row === undefined) return []
  return answer._tag === "placed" && answer.isReplayed && answer.orderId === row.orderId
    ? []
    : [`asked again for an order that was there: ${key} ${JSON.stringify(answer)}`]
}

const checkStock = (
  { products }: Market,
  orders: ReadonlyArray<Row>,
  stock: ReadonlyArray<Stock>,
): ReadonlyArray<string> => {
  const sold = new Map<string, number>()
  for (const { lines } of orders) {
    for (const line of lines.split(" ")) {
      const [productId = "", units] = line.split("=")
      sold.set(productId, (sold.get(productId) ?? 0) + Number(units))
    }
  }
  return products.flatMap(({ productId, units }) => {
    const found = stock.find((row) => row.productId === productId)
    const left = units - (sold.get(productId) ?? 0)
    return found?.stocked === units && found.available + found.held === left
      ? []
      : [`of ${units} units ${left} should be left: ${JSON.stringify(found)}`]
  })
}
