/**
 * A product as it leaves the service, and as a merchant's body becomes one.
 */
import { DateTime } from "effect"
import type { NewProduct, Product } from "../catalogue/product.ts"
import type { ProductChange } from "../domain/commands.ts"
import type { AmendProduct, CreateProduct, ProductView } from "./contract/product.ts"
import { isoTime } from "./isoTime.ts"

export const productView = ({
  createdAtMillis,
  saleStartsAtMillis,
  updatedAtMillis,
  ...product
}: Product): typeof ProductView.Type => ({
  ...product,
  saleStartsAt: saleStartsAtMillis === null ? null : isoTime(saleStartsAtMillis),
  createdAt: isoTime(createdAtMillis),
  updatedAt: isoTime(updatedAtMillis),
})

const millisOf = (time: string | null): number | null =>
  time === null ? null : DateTime.toEpochMillis(DateTime.makeUnsafe(time))

export const newProductOf = (input: typeof CreateProduct.Type): NewProduct => ({
  name: input.name,
  description: input.description ?? "",
  price: input.price,
  stock: input.stock,
  limitPerCustomer: input.limitPerCustomer ?? null,
  saleStartsAtMillis: millisOf(input.saleStartsAt ?? null),
  paused: input.paused ?? false,
  waitlist: input.waitlist ?? true,
  reservationTtlSeconds: input.reservationTtlSeconds ?? null,
  stockGroup: input.stockGroup ?? null,
  imageUrl: input.imageUrl ?? null,
})

export const productChangeOf = ({ saleStartsAt, ...change }: typeof AmendProduct.Type): ProductChange => ({
  ...change,
  ...(saleStartsAt === undefined ? {} : { saleStartsAtMillis: millisOf(saleStartsAt) }),
})
