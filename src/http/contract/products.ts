/**
 * Products and their stock movements as a caller sees them. Prices, stock and times in answers come from the service
 * alone; of what a merchant sends, only the fields named here are read.
 */
import { DateTime, Option, Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { movementReasonLengthMax, nameLengthMax, productUnitsMax, stockGroupLengthMax } from "../../domain/bounds.ts"
import { AccountId, MerchantId, ProductId, StockMovementId } from "../../domain/ids.ts"
import { Money, Price } from "../../domain/money.ts"
import { Authorization } from "./authorization.ts"
import { limitParameter, page } from "./paging.ts"
import { bodyProblems, problems } from "./problem.ts"
import { importDescription, ImportOutcome, importPayload } from "./productImport.ts"
import { Description, IdempotencyKey, ImageUrl, lineOfText, Name, Timestamp } from "./text.ts"

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
  stockGroup: Schema.NullOr(Schema.String),
  imageUrl: Schema.NullOr(Schema.String),
  version: Schema.Int,
  createdAt: Timestamp,
  updatedAt: Timestamp,
}).annotate({ identifier: "Product" })

const Units = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: productUnitsMax }))
const UnitsAboveZero = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: productUnitsMax }))

/** JavaScript reads the 30th of February as the 2nd of March; a day counts only if it comes back as it was written. */
const isTime = (text: string): boolean => {
  const day = text.slice(0, 10)
  return (
    Option.isSome(DateTime.make(text)) &&
    Option.exists(DateTime.make(`${day}T00:00:00Z`), (read) => DateTime.formatIsoDateUtc(read) === day)
  )
}

export const SaleStart = Schema.String.check(
  Schema.isPattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/, {
    message: "must be an RFC 3339 time with its offset",
  }),
  Schema.makeFilter<string>(isTime, { message: "must be a time that exists" }),
).annotate({ format: "date-time" })

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
  waitlist: Schema.optionalKey(Schema.Boolean),
  stockGroup: Schema.optionalKey(Schema.NullOr(lineOfText(stockGroupLengthMax))),
  imageUrl: Schema.optionalKey(Schema.NullOr(ImageUrl)),
}).annotate({ identifier: "CreateProduct" })

/** What cannot be edited is refused rather than left unread: whoever sends it means something by it. */
const fixed = (message: string) =>
  Schema.optionalKey(Schema.Unknown.check(Schema.makeFilter(() => message)).annotate({ description: message }))

const movesByMovements = "cannot be edited: stock moves by POST /v1/products/{id}/stock-movements"

export const AmendProduct = Schema.Struct({
  name: Schema.optionalKey(Name),
  description: Schema.optionalKey(Description),
  price: Schema.optionalKey(Price).annotateKey({ description: "In the product's own currency, which never changes." }),
  limitPerCustomer: Schema.optionalKey(Schema.NullOr(UnitsAboveZero)),
  saleStartsAt: Schema.optionalKey(Schema.NullOr(SaleStart)),
  paused: Schema.optionalKey(Schema.Boolean),
  archived: Schema.optionalKey(Schema.Boolean),
  waitlist: Schema.optionalKey(Schema.Boolean),
  imageUrl: Schema.optionalKey(Schema.NullOr(ImageUrl)),
  stock: fixed(movesByMovements),
  stocked: fixed(movesByMovements),
  available: fixed(movesByMovements),
  stockGroup: fixed("cannot be edited: it decided for good where the product's stock is kept"),
  merchantId: fixed("cannot be edited: a product stays its merchant's"),
})
  .check(Schema.makeFilter((change) => (Object.keys(change).length > 0 ? undefined : "must change something")))
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

const productParams = { id: ProductId }

const etag = Schema.String.annotate({ description: '"<version>.<stocked>.<available>"' })

const ifMatch = Schema.optionalKey(Schema.String).annotateKey({
  description: 'Required: the ETag that was edited, of which the version alone counts, or "<version>", or * for any.',
})

const editProblems = {
  403: ["forbidden"],
  404: ["not_found"],
  412: ["version_mismatch"],
  428: ["if_match_missing"],
}

export class ProductsGroup extends HttpApiGroup.make("products")
  .add(
    HttpApiEndpoint.get("list", "/v1/products", {
      query: {
        limit: limitParameter,
        starting_after: Schema.optionalKey(ProductId),
        q: Schema.optionalKey(lineOfText(nameLengthMax)).annotateKey({
          description: "Words that begin a word of the name.",
        }),
        merchantId: Schema.optionalKey(MerchantId),
        inStock: Schema.optionalKey(Schema.Literals(["true", "false"])),
      },
      success: Schema.Struct({
        data: Schema.Array(ProductView),
        hasMore: Schema.Boolean,
        next: Schema.NullOr(ProductId).annotate({
          description:
            "The starting_after of the next page, null after the last. A search for words that very many products have, but few of the next ones, may answer a short page.",
        }),
      }),
      error: problems({ 422: ["invalid"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "What is for sale, in the order of creation" })),
    HttpApiEndpoint.get("get", "/v1/products/:id", {
      params: productParams,
      headers: { "if-none-match": Schema.optionalKey(Schema.String) },
      success: [HttpApiSchema.WithHeaders(ProductView, { etag }), HttpApiSchema.Empty(304)],
      error: problems({ 404: ["not_found"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "One product with its stock of this moment" })),
  )
  .annotateMerge(OpenApi.annotations({ title: "Products", description: "The catalogue, open to anyone." })) {}

export class ProductEditingGroup extends HttpApiGroup.make("productEditing")
  .add(
    HttpApiEndpoint.post("create", "/v1/products", {
      payload: CreateProduct,
      success: HttpApiSchema.WithHeaders(ProductView.pipe(HttpApiSchema.status(201)), {
        location: Schema.String,
        etag,
      }),
      error: problems(bodyProblems, { 403: ["forbidden"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Add a product (merchant)" })),
    HttpApiEndpoint.patch("amend", "/v1/products/:id", {
      params: productParams,
      headers: { "if-match": ifMatch },
      payload: AmendProduct,
      success: HttpApiSchema.WithHeaders(ProductView, { etag }),
      error: problems(bodyProblems, editProblems),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Edit a product (merchant)",
        description: "Orders placed before it do not see the change, those after it do. 412 tells the ETag of now.",
      }),
    ),
    HttpApiEndpoint.delete("archive", "/v1/products/:id", {
      params: productParams,
      headers: { "if-match": ifMatch },
      success: HttpApiSchema.NoContent,
      error: problems(editProblems),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Archive a product (merchant)",
        description:
          "It is not sold or listed any more, and can still be looked at. `archived: false` brings it back. Safe to repeat.",
      }),
    ),
    HttpApiEndpoint.post("import", "/v1/products/import", {
      query: {
        merchantId: Schema.optionalKey(MerchantId).annotateKey({
          description: "For rows that do not name their merchant.",
        }),
        dryRun: Schema.optionalKey(Schema.Literals(["true", "false"])).annotateKey({
          description: "Says what would come of each row and changes nothing; the key stays free.",
        }),
      },
      headers: { "idempotency-key": IdempotencyKey },
      payload: importPayload,
      success: HttpApiSchema.WithHeaders(ImportOutcome, {
        "idempotency-replayed": Schema.optionalKey(Schema.Literal("true")),
      }),
      error: problems(bodyProblems, {
        400: ["idempotency_key_missing"],
        403: ["forbidden"],
        422: ["idempotency_key_reused"],
      }),
    }).annotateMerge(OpenApi.annotations({ summary: "Add many products (merchant)", description: importDescription })),
    HttpApiEndpoint.post("moveStock", "/v1/products/:id/stock-movements", {
      params: productParams,
      headers: { "idempotency-key": IdempotencyKey },
      payload: MoveStock,
      success: HttpApiSchema.WithHeaders(StockMovementView.pipe(HttpApiSchema.status(201)), {
        "idempotency-replayed": Schema.optionalKey(Schema.Literal("true")),
      }),
      error: problems(bodyProblems, {
        400: ["idempotency_key_missing"],
        403: ["forbidden"],
        404: ["not_found"],
        409: ["stock_is_sold", "stock_too_large"],
        422: ["idempotency_key_reused"],
      }),
    }).annotateMerge(OpenApi.annotations({ summary: "Receive, write off or correct stock (merchant)" })),
    HttpApiEndpoint.get("listMovements", "/v1/products/:id/stock-movements", {
      params: productParams,
      query: { limit: limitParameter, starting_after: Schema.optionalKey(StockMovementId) },
      success: page(StockMovementView),
      error: problems({ 403: ["forbidden"], 404: ["not_found"], 422: ["invalid"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "How the stock came to be what it is (merchant)" })),
  )
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Editing products", description: "For members of the merchant." })) {}
