/**
 * A product and a movement of its stock as a caller sees and sends them. Prices, stock and times in answers come from
 * the service alone; of what a merchant sends, only the fields named here are read.
 */
import { DateTime, Option, Schema } from "effect"
import {
  movementReasonLengthMax,
  productReservationTtlMaxSeconds,
  productUnitsMax,
  stockGroupLengthMax,
} from "../../domain/bounds.ts"
import { AccountId, MerchantId, ProductId, StockMovementId } from "../../domain/ids.ts"
import { Money, Price } from "../../domain/money.ts"
import { Description, ImageUrl, lineOfText, Name, Timestamp } from "./text.ts"

export const ProductView = Schema.Struct({
  id: ProductId,
  merchantId: MerchantId,
  name: Schema.String,
  description: Schema.String,
  price: Money,
  stocked: Schema.Int,
  available: Schema.Int,
  limitPerCustomer: Schema.NullOr(Schema.Int),
  saleStartsAt: Schema.NullOr(Timestamp),
  paused: Schema.Boolean,
  archived: Schema.Boolean,
  waitlist: Schema.Boolean,
  reservationTtlSeconds: Schema.NullOr(Schema.Int),
  stockGroup: Schema.NullOr(Schema.String),
  imageUrl: Schema.NullOr(Schema.String),
  version: Schema.Int,
  createdAt: Timestamp,
  updatedAt: Timestamp,
}).annotate({ identifier: "Product" })

const Units = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: productUnitsMax }))
const UnitsAboveZero = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: productUnitsMax }))

/**
 * JavaScript reads the 30th of February as the 2nd of March; a day counts only if it comes back as it was written. And
 * an offset can carry a time out of the years that have four digits, the only ones that RFC 3339 can write.
 */
const isTime = (text: string): boolean => {
  const day = text.slice(0, 10)
  return (
    Option.exists(DateTime.make(text), (read) => /^\d{4}-/.test(DateTime.formatIso(read))) &&
    Option.exists(DateTime.make(`${day}T00:00:00Z`), (read) => DateTime.formatIsoDateUtc(read) === day)
  )
}

export const SaleStart = Schema.String.check(
  Schema.isPattern(/^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/u, {
    message: "must be an RFC 3339 time with its offset",
  }),
  Schema.makeFilter<string>(isTime, {
    message: "must be a time that exists",
    toJsonSchema: () => [{ format: "date-time" }, true],
  }),
)

const ReservationTtl = Schema.optionalKey(
  Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: productReservationTtlMaxSeconds }))),
).annotateKey({
  description: "Seconds an unpaid order with this product keeps its stock; the service's own setting where null.",
})
const Waitlist = Schema.optionalKey(Schema.Boolean).annotateKey({
  description: "Whether what comes back is offered to those who wait for it; it is unless turned off.",
})

export const CreateProduct = Schema.Struct({
  name: Name,
  description: Schema.optionalKey(Description),
  price: Price,
  stock: Units,
  merchantId: Schema.optionalKey(MerchantId).annotateKey({
    description: "Required of an account that belongs to several merchants.",
  }),
  limitPerCustomer: Schema.optionalKey(Schema.NullOr(UnitsAboveZero)),
  saleStartsAt: Schema.optionalKey(Schema.NullOr(SaleStart)),
  paused: Schema.optionalKey(Schema.Boolean),
  waitlist: Waitlist,
  reservationTtlSeconds: ReservationTtl,
  stockGroup: Schema.optionalKey(Schema.NullOr(lineOfText(stockGroupLengthMax))),
  imageUrl: Schema.optionalKey(Schema.NullOr(ImageUrl)),
}).annotate({ identifier: "CreateProduct" })

/** What cannot be edited is refused rather than left unread: whoever sends it means something by it. */
const fixed = (message: string) =>
  Schema.optionalKey(Schema.Never.annotate({ message })).annotateKey({ description: message })

const movesByMovements = "cannot be edited: stock moves by POST /v1/products/{id}/stock-movements"

export const AmendProduct = Schema.Struct({
  name: Schema.optionalKey(Name),
  description: Schema.optionalKey(Description),
  price: Schema.optionalKey(Price).annotateKey({ description: "In the product's own currency, which never changes." }),
  limitPerCustomer: Schema.optionalKey(Schema.NullOr(UnitsAboveZero)),
  saleStartsAt: Schema.optionalKey(Schema.NullOr(SaleStart)),
  paused: Schema.optionalKey(Schema.Boolean),
  archived: Schema.optionalKey(Schema.Boolean),
  waitlist: Waitlist,
  reservationTtlSeconds: ReservationTtl,
  imageUrl: Schema.optionalKey(Schema.NullOr(ImageUrl)),
  stock: fixed(movesByMovements),
  stocked: fixed(movesByMovements),
  available: fixed(movesByMovements),
  stockGroup: fixed("cannot be edited: it decided for good where the product's stock is kept"),
  merchantId: fixed("cannot be edited: a product stays its merchant's"),
})
  .check(
    Schema.makeFilter((change) => (Object.keys(change).length > 0 ? undefined : "must change something"), {
      toJsonSchema: () => [{ minProperties: 1 }, true],
    }),
  )
  .annotate({ identifier: "AmendProduct", description: "What is left out stays; null takes a value away." })

const MovementKind = Schema.Literals(["received", "writtenOff", "corrected"])

export const StockMovementView = Schema.Struct({
  id: StockMovementId,
  productId: ProductId,
  kind: MovementKind,
  quantity: Schema.Int,
  reason: Schema.NullOr(Schema.String),
  movedBy: Schema.NullOr(Schema.Struct({ id: AccountId, name: Schema.NullOr(Schema.String) })).annotate({
    description: "The account that moved it; null for the stock that the product was created with.",
  }),
  createdAt: Timestamp,
}).annotate({ identifier: "StockMovement" })

export const MoveStock = Schema.Struct({
  kind: MovementKind,
  quantity: Schema.Int.check(Schema.isBetween({ minimum: -productUnitsMax, maximum: productUnitsMax })),
  reason: Schema.optionalKey(Schema.NullOr(lineOfText(movementReasonLengthMax))),
})
  .check(
    Schema.makeFilter((movement) => {
      const fits = movement.kind === "corrected" ? movement.quantity !== 0 : movement.quantity > 0
      return fits
        ? undefined
        : {
            path: ["quantity"],
            issue:
              movement.kind === "corrected" ? "must not be 0" : "must be above 0: only a correction may be negative",
          }
    }),
  )
  .annotate({ identifier: "MoveStock" })
