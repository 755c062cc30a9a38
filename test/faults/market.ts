/**
 * What there is to buy in one test: products of its own, so that its history is whole and nobody else's. One is plenty,
 * one sells out under the fault, and two of different shards are bought together, so that orders hold units on the way.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { randomBytes } from "node:crypto"
import { ask } from "./people.ts"
import { Stage } from "./stage.ts"
import type { Line } from "./wire.ts"

const plentyUnits = 1_000_000
/** Enough to be sold out some way into a fault. */
const scarceUnits = 90
/** Tries until a product is of another shard; with four shards ten in a row are one in a million. */
const productsMax = 24

interface Product {
  readonly productId: string
  readonly units: number
}

export interface Market {
  /** What the keys of its orders begin with. */
  readonly name: string
  readonly products: ReadonlyArray<Product>
  /** What a buyer wants at its so-manieth order. */
  readonly wishOf: (buyer: number, turn: number) => ReadonlyArray<Line>
}

const addProduct = Effect.fnUntraced(function* (name: string, units: number) {
  const { people, service } = yield* Stage
  const json = { name, stock: units, price: { amount: 1_900, currency: "EUR" } }
  const sent = { method: "POST", path: "/v1/products", token: people.merchant, json } as const
  return { productId: yield* ask(service().url, sent, "id"), units } satisfies Product
})

const shardOf = Effect.fnUntraced(function* ({ productId }: Product) {
  const { sql } = yield* Stage
  const rows = yield* sql(
    Effect.flatMap(
      SqlClient.SqlClient,
      (client) => client<{ readonly shard: number }>`select shard from products where id = ${productId}`,
    ),
  )
  return rows[0]?.shard
})

/** One whose orders have another home than this one's. */
const addElsewhere = Effect.fnUntraced(function* (than: Product, units: number) {
  const shard = yield* shardOf(than)
  for (let attempt = 0; attempt < productsMax; attempt++) {
    const product = yield* addProduct("Long player", units)
    if ((yield* shardOf(product)) !== shard) return product
  }
  return yield* Effect.die(new Error("every product is of the same shard"))
})

export const openMarket = Effect.gen(function* () {
  const plenty = yield* addProduct("Single", plentyUnits)
  const scarce = yield* addProduct("Last pressing", scarceUnits)
  const together = yield* addElsewhere(plenty, plentyUnits)
  const togetherScarce = yield* addElsewhere(scarce, scarceUnits)
  const line = ({ productId }: Product, quantity: number): Line => ({ productId, quantity })
  const wishes = [
    () => [line(plenty, 1)],
    (turn: number) => [line(scarce, 1 + (turn % 3))],
    () => [line(plenty, 1), line(together, 2)],
    (turn: number) => [line(together, 1), line(togetherScarce, 1 + (turn % 2))],
  ]
  return {
    name: randomBytes(4).toString("hex"),
    products: [plenty, scarce, together, togetherScarce],
    wishOf: (buyer, turn) => wishes[buyer % wishes.length]?.(turn) ?? [],
  } satisfies Market
})
