/**
 * What each k6 scenario needs to be there before it starts: accounts, products and numbers, made over the API of the
 * shop it runs against. Must stay true: all of it is new, so that every order and every unit of it is the run's own.
 */
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { openAccounts } from "../demo/accounts.ts"
import { ShopClient } from "../demo/ShopClient.ts"
import type { BrowseAndBuyWorld, FlashSaleWorld, OrderCreationWorld, Ware } from "./world.ts"

/** Where to run, on whose account to sell, and what counts as too slow. */
export interface Shop {
  readonly url: string
  readonly merchantEmail: string
  readonly merchantPassword: string
  readonly latencyMaxMillis: number
}

/** A scenario of k6/, by the name of its script, with everything it has to be told but where its summary goes. */
export interface Prepared {
  readonly name: string
  readonly world: Handed<FlashSaleWorld> | Handed<OrderCreationWorld> | Handed<BrowseAndBuyWorld>
}

type Handed<W> = Omit<W, "summaryFile">

/** As in the demo: a password hash for each buyer would take longer than the sale. */
const buyersAnAccount = 10
const flashSalePrice = 4_900
/** Two in five want a single unit, and all of them together more than there is: then every unit must go. */
export const buyersForAUnit = 3

/** Enough that orders spread over all shards, and that the lists at the end stay short. */
const orderingAccounts = 100
const orderingProducts = 64
/** More than any run can sell: refusals are the flash sale's part. */
const ampleUnits = 10_000_000
const shelfProducts = 60

/** Letters only, so that a search takes it for one word. */
const runWord = () =>
  SecureRandom.uuidV4Unsafe()
    .replaceAll("-", "")
    .replaceAll(/\d/g, (digit) => "ghijklmnop"[+digit] ?? "")

/** One after the other; prices differ, so that a line under another's price shows. */
const addWares = Effect.fnUntraced(function* (
  shop: Shop,
  products: ReadonlyArray<{ readonly name: string; readonly units: number; readonly price: number }>,
) {
  const client = yield* ShopClient
  const merchant = yield* client.signIn(shop.merchantEmail, shop.merchantPassword)
  return yield* Effect.forEach(products, (product) =>
    Effect.map(client.createProduct(merchant, product.name, product.units, { amount: product.price }), (id): Ware => ({
      id,
      ...product,
    })),
  )
})

/** Takes everything off the shelf of a shop that lives on; how much is still there. */
export const removeWares = Effect.fnUntraced(function* (shop: Shop, wares: ReadonlyArray<Ware>) {
  const client = yield* ShopClient
  const merchant = yield* client.signIn(shop.merchantEmail, shop.merchantPassword)
  const gone = yield* Effect.forEach(wares, ({ id }) => client.archiveProduct(merchant, id))
  return gone.filter((isGone) => !isGone).length
})

const named = (count: number, run: string, units: number) =>
  Array.from({ length: count }, (_, index) => ({
    name: `Poster ${index + 1} of ${run}`,
    units,
    price: 1_000 + index,
  }))

/** Everything but what only this scenario is told. */
const prepare = Effect.fnUntraced(function* (
  shop: Shop,
  accounts: number,
  products: (run: string) => Parameters<typeof addWares>[1],
) {
  const run = runWord()
  const wares = yield* addWares(shop, products(run))
  const tokens = yield* openAccounts(accounts)
  return { url: shop.url, run, tokens, wares, latencyMaxMillis: shop.latencyMaxMillis }
})

export const flashSale = ({ buyers, units }: { readonly buyers: number; readonly units: number }) =>
  Effect.fnUntraced(function* (shop: Shop) {
    const world = yield* prepare(shop, Math.ceil(buyers / buyersAnAccount), (run) => [
      { name: `Flash sale of ${run}`, units, price: flashSalePrice },
    ])
    return { name: "flash-sale", world: { ...world, buyers } } satisfies Prepared
  })

export const orderCreation = (load: { readonly ordersPerSecondMax: number; readonly durationSeconds: number }) =>
  Effect.fnUntraced(function* (shop: Shop) {
    const world = yield* prepare(shop, orderingAccounts, (run) => named(orderingProducts, run, ampleUnits))
    return { name: "order-creation", world: { ...world, ...load } } satisfies Prepared
  })

/** An account each: a cart is an account's own. */
export const browseAndBuy = (visit: { readonly shoppers: number; readonly durationSeconds: number }) =>
  Effect.fnUntraced(function* (shop: Shop) {
    const world = yield* prepare(shop, visit.shoppers, (run) => named(shelfProducts, run, ampleUnits))
    return { name: "browse-and-buy", world: { ...world, ...visit } } satisfies Prepared
  })
