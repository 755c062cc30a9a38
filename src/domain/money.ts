/**
 * Amounts in minor units (cents, yen) with their ISO 4217 currency. Amounts are whole numbers that JavaScript and
 * PostgreSQL both hold exactly; nothing here ever divides.
 */
import { Schema } from "effect"
import { priceAmountMax } from "./bounds.ts"

export const Currency = Schema.String.check(
  Schema.isPattern(/^[A-Z]{3}$/u, { description: "an ISO 4217 code in capitals, such as EUR" }),
)
export type Currency = typeof Currency.Type

export const Money = Schema.Struct({ amount: Schema.Int, currency: Currency })
export type Money = typeof Money.Type

/** What a product can cost: 0 to `priceAmountMax` minor units. */
export const Price = Schema.Struct({
  amount: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: priceAmountMax })),
  currency: Currency,
})
export type Price = typeof Price.Type
