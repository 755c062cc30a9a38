/**
 * What is in a cart and what it would cost now. Must stay true: prices, stock and limits are today's rows at each look,
 * a change since a line was put in is named beside it, and where a checkout would be refused the code is the refusal's.
 */
import { orderLinesMax } from "../domain/bounds.ts"
import type { MerchantId, ProductId } from "../domain/ids.ts"
import type { Currency, Money } from "../domain/money.ts"
import type { OrderLine, RequestedLine } from "../domain/order.ts"
import type { OrderRefusal } from "../domain/refusals.ts"

/** A cart holds no more than one order can. */
export const cartLinesMax = orderLinesMax

/** What a checkout sells: the lines, and the version of the cart that has exactly these. */
export interface CartContents {
  readonly version: number
  readonly lines: ReadonlyArray<RequestedLine>
}

/** What an order of now would have, and what the shelf says beside it. */
export interface CartLine extends OrderLine {
  /** Null where it is not sold any more. */
  readonly available: number | null
  readonly imageUrl: string | null
}

export type CartProblem =
  | { readonly code: "unknown_product"; readonly productId: ProductId }
  | { readonly code: "currency_mix"; readonly currencies: ReadonlyArray<Currency> }
  | { readonly code: "not_on_sale"; readonly productId: ProductId; readonly saleStartsAtMillis: number | null }
  | { readonly code: "limit_exceeded"; readonly productId: ProductId; readonly allowed: number; readonly had: number }
  | {
      readonly code: "out_of_stock"
      readonly productId: ProductId
      readonly requested: number
      readonly available: number
    }
  /** Refuses nothing by itself: a checkout that expects no total goes through at the price of now. */
  | { readonly code: "price_changed"; readonly productId: ProductId; readonly was: Money; readonly now: Money }

export interface Cart {
  /** In the order in which they were put in. */
  readonly lines: ReadonlyArray<CartLine>
  /** What a checkout would cost now; null where it could have no total: nothing to sell, or several currencies. */
  readonly total: Money | null
  readonly problems: ReadonlyArray<CartProblem>
}

/** Refusals of a change to a cart. */
export type CartRefusal = { readonly code: "cart_full" } | Extract<OrderRefusal, { readonly code: "unknown_product" }>

/** A line as the rows have it at this moment. */
export interface CartRow {
  readonly productId: ProductId
  readonly name: string
  readonly quantity: number
  readonly price: number
  readonly currency: Currency
  /** The price when it was put in. */
  readonly priceWas: number
  readonly merchantId: MerchantId
  readonly imageUrl: string | null
  readonly available: number
  readonly isArchived: boolean
  readonly isPaused: boolean
  /** Null once the sale has begun. */
  readonly saleStartsAtMillis: number | null
  readonly allowed: number | null
  /** Units the customer has of it where there is a limit. */
  readonly had: number
}

/** Problems come in the order in which a checkout would meet them, and last those that refuse nothing. */
export const cartOf = (rows: ReadonlyArray<CartRow>): Cart => {
  const sold = rows.filter((row) => !row.isArchived)
  const currencies = [...new Set(sold.map((row) => row.currency))].sort()
  const [currency] = currencies
  const amount = sold.reduce((sum, row) => sum + row.price * row.quantity, 0)
  return {
    lines: rows.map(lineOf),
    total: currency === undefined || currencies.length > 1 ? null : { amount, currency },
    problems: [
      ...rows.flatMap(archivedProblem),
      ...(currencies.length > 1 ? [{ code: "currency_mix" as const, currencies }] : []),
      ...[saleProblem, limitProblem, stockProblem, priceProblem].flatMap((problem) => sold.flatMap(problem)),
    ],
  }
}

type Found = ReadonlyArray<CartProblem>

const archivedProblem = ({ isArchived, productId }: CartRow): Found =>
  isArchived ? [{ code: "unknown_product", productId }] : []

const saleProblem = ({ isPaused, productId, saleStartsAtMillis }: CartRow): Found =>
  isPaused || saleStartsAtMillis !== null
    ? [{ code: "not_on_sale", productId, saleStartsAtMillis: isPaused ? null : saleStartsAtMillis }]
    : []

const limitProblem = ({ allowed, had, productId, quantity }: CartRow): Found =>
  allowed !== null && had + quantity > allowed ? [{ code: "limit_exceeded", productId, allowed, had }] : []

const stockProblem = ({ available, productId, quantity }: CartRow): Found =>
  available < quantity ? [{ code: "out_of_stock", productId, requested: quantity, available }] : []

const priceProblem = ({ currency, price, priceWas, productId }: CartRow): Found =>
  price === priceWas
    ? []
    : [{ code: "price_changed", productId, was: { amount: priceWas, currency }, now: { amount: price, currency } }]

const lineOf = (row: CartRow): CartLine => ({
  productId: row.productId,
  name: row.name,
  quantity: row.quantity,
  unitPrice: { amount: row.price, currency: row.currency },
  lineTotal: { amount: row.price * row.quantity, currency: row.currency },
  merchantId: row.merchantId,
  available: row.isArchived ? null : row.available,
  imageUrl: row.imageUrl,
})
