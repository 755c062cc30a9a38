/**
 * What the ways to sell one hot product have in common: each sells its own product in rounds of a given number of
 * orders, and afterwards its rows are counted by SQL that belongs to none of them.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { performance } from "node:perf_hooks"
import type { ProductId } from "../../src/domain/ids.ts"

export interface Strategy {
  readonly name: string
  readonly productId: ProductId
  /** Sells about `orders` units, one an order, and says how long that took; what can be made ready before is. */
  readonly round: (orders: number) => Effect.Effect<Round>
}

export interface Round {
  readonly orders: number
  readonly seconds: number
  /** Orders that shared one commit, as the median batch had it; 1 where each has its own. */
  readonly batchSize: number
}

export const ordersPerSecond = ({ orders, seconds }: Round): number => orders / seconds

/** Seconds that an effect takes. */
export const timed = <E, R>(effect: Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    return Effect.map(effect, () => (performance.now() - startedAt) / 1000)
  })

/** More than any run sells. */
export const unitsStocked = 2_000_000_000

interface Books {
  readonly taken: number
  readonly lines: number
  readonly units: number
  readonly orders: number
}

/** Units taken from stock, lines, units on lines and orders have to be what was answered; anything else is a bug. */
export const verifyBooks = Effect.fnUntraced(function* (strategy: Strategy, answered: number) {
  const sql = yield* PgClient.PgClient
  const [books] = yield* sql<Books>`
    select s.stocked - s.available as taken, count(l.order_id)::integer as lines, coalesce(sum(l.quantity), 0)::integer as units,
      count(o.id)::integer as orders
    from stock s left join order_lines l on l.product_id = s.product_id left join orders o on o.id = l.order_id
    where s.product_id = ${strategy.productId}::uuid group by s.product_id`
  const agree = books !== undefined && Object.values(books).every((count) => count === answered)
  if (!agree)
    return yield* Effect.die(`${strategy.name}: answered ${answered}, but the books say ${JSON.stringify(books)}`)
})
