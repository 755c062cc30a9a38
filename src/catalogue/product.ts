/**
 * A product as the service knows it, as a merchant adds it, and how lists of it are asked for. Times are milliseconds
 * since the epoch, as PostgreSQL's clock gave them; amounts are minor units.
 */
import type { MerchantId, ProductId } from "../domain/ids.ts"
import type { Money } from "../domain/money.ts"
import type { Page } from "../domain/page.ts"

export interface Product {
  readonly id: ProductId
  readonly merchantId: MerchantId
  readonly name: string
  readonly description: string
  readonly price: Money
  readonly stocked: number
  readonly available: number
  readonly limitPerCustomer: number | null
  readonly saleStartsAtMillis: number | null
  readonly paused: boolean
  readonly archived: boolean
  readonly waitlist: boolean
  /** How long an unpaid order with it keeps its stock; null leaves it to the service's setting. */
  readonly reservationTtlSeconds: number | null
  readonly stockGroup: string | null
  readonly imageUrl: string | null
  readonly version: number
  readonly createdAtMillis: number
  readonly updatedAtMillis: number
}

export interface NewProduct {
  readonly name: string
  readonly description: string
  readonly price: Money
  readonly stock: number
  readonly limitPerCustomer: number | null
  readonly saleStartsAtMillis: number | null
  readonly paused: boolean
  readonly waitlist: boolean
  /** How long an unpaid order with it keeps its stock; null leaves it to the service's setting. */
  readonly reservationTtlSeconds: number | null
  readonly stockGroup: string | null
  readonly imageUrl: string | null
}

export interface ProductQuery {
  /** Products of the page: 1 to `pageSizeMax`. */
  readonly limit: number
  readonly startingAfter: ProductId | null
  /** Words that begin words of the name, all of them, as `wordsOf` makes them; none at all find nothing. */
  readonly words: ReadonlyArray<string> | null
  readonly merchantId: MerchantId | null
  readonly inStock: boolean | null
}

/** A page of the catalogue, which may be short where a search had to end before the list did. */
export interface ProductPage extends Page<Product> {
  /** After which product the next page starts; null after the last page. */
  readonly next: ProductId | null
}
