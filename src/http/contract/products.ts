/**
 * The paths of the catalogue: what anyone may look at, and what members of a merchant do to its products.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { nameLengthMax } from "../../domain/bounds.ts"
import { MerchantId, ProductId, StockMovementId } from "../../domain/ids.ts"
import { Authorization } from "./authorization.ts"
import { limitParameter, page } from "./paging.ts"
import { bodyProblems, problems } from "./problem.ts"
import { AmendProduct, CreateProduct, MoveStock, ProductView, StockMovementView } from "./product.ts"
import { importDescription, ImportOutcome, importPayload } from "./productImport.ts"
import { IdempotencyKey, lineOfText } from "./text.ts"

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
        q: Schema.optionalKey(Schema.Union([Schema.Literal(""), lineOfText(nameLengthMax)])).annotateKey({
          description:
            "Words that begin a word of the name; empty, as an empty search box sends it, it asks for nothing.",
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
