/**
 * The catalogue over HTTP: adding, reading with an ETag, listing, and the movements of a product's stock.
 */
import { DateTime, Effect, Option } from "effect"
import { HttpServerResponse, type HttpServerRequest } from "effect/http"
import { HttpApiBuilder, HttpApiSchema } from "effect/http-api"
import { notFound } from "../../accounts/accountRefusals.ts"
import type { NewProduct, Product } from "../../catalogue/product.ts"
import { Products } from "../../catalogue/Products.ts"
import { deltaOf, quantityOf, type StockMovement, StockMovements } from "../../catalogue/StockMovements.ts"
import { pageSizeDefault } from "../../domain/bounds.ts"
import type { ProductId, StockMovementId } from "../../domain/ids.ts"
import { movementFingerprint } from "../../inventory/fingerprint.ts"
import { ProductWriter } from "../../inventory/ProductWriter.ts"
import { Api } from "../contract/Api.ts"
import { CurrentPrincipal } from "../contract/authorization.ts"
import { CreateProduct, MoveStock, type ProductView, type StockMovementView } from "../contract/products.ts"
import { isoTime } from "../isoTime.ts"
import { makeBodyReader } from "../requestBody.ts"
import { answeringInTime } from "../respond.ts"

const productView = ({
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

const etagOf = (product: Product): string => `"${product.version}.${product.stocked}.${product.available}"`

/** Whether If-None-Match names this tag; weak and strong compare alike here (RFC 9110, 13.1.2). */
const namesTag = (header: string | undefined, etag: string): boolean =>
  header !== undefined &&
  header.split(",").some((part) => {
    const tag = part.trim()
    return tag === "*" || tag === etag || tag === `W/${etag}`
  })

export const productsHandlers = HttpApiBuilder.group(
  Api,
  "products",
  Effect.fnUntraced(function* (handlers) {
    const products = yield* Products

    const get = Effect.fnUntraced(function* (id: ProductId, ifNoneMatch: string | undefined) {
      const product = yield* products.get(id)
      const etag = etagOf(product)
      if (namesTag(ifNoneMatch, etag)) return HttpServerResponse.empty({ status: 304, headers: { etag } })
      return HttpApiSchema.withHeaders({ body: productView(product), headers: { etag } })
    })

    return handlers
      .handle("get", ({ headers, params }) => answeringInTime(get(params.id, headers["if-none-match"])))
      .handle("list", ({ query }) =>
        answeringInTime(
          products.list({
            limit: query.limit ?? pageSizeDefault,
            startingAfter: query.starting_after ?? null,
            words: query.q === undefined ? null : (query.q.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []),
            merchantId: query.merchantId ?? null,
            inStock: query.inStock === undefined ? null : query.inStock === "true",
          }),
        ).pipe(
          Effect.map((page) =>
            HttpServerResponse.isHttpServerResponse(page)
              ? page
              : { data: page.data.map(productView), hasMore: page.hasMore },
          ),
        ),
      )
  }),
)

const readNewProduct = makeBodyReader(CreateProduct)
const readMovement = makeBodyReader(MoveStock)

const newProductOf = (input: typeof CreateProduct.Type): NewProduct => ({
  name: input.name,
  description: input.description ?? "",
  price: input.price,
  stock: input.stock,
  limitPerCustomer: input.limitPerCustomer ?? null,
  saleStartsAtMillis:
    input.saleStartsAt === undefined || input.saleStartsAt === null
      ? null
      : DateTime.toEpochMillis(DateTime.makeUnsafe(input.saleStartsAt)),
  paused: input.paused ?? false,
  waitlist: input.waitlist ?? false,
  stockGroup: input.stockGroup ?? null,
  imageUrl: input.imageUrl ?? null,
})

const movementView = ({ createdAtMillis, delta, ...movement }: StockMovement): typeof StockMovementView.Type => ({
  ...movement,
  quantity: quantityOf(movement.kind, delta),
  createdAt: isoTime(createdAtMillis),
})

export const productEditingHandlers = HttpApiBuilder.group(
  Api,
  "productEditing",
  Effect.fnUntraced(function* (handlers) {
    const products = yield* Products
    const movements = yield* StockMovements
    const writer = yield* ProductWriter

    const create = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const { account } = yield* CurrentPrincipal
      const input = yield* readNewProduct(request)
      const product = yield* products.create(account, Option.fromUndefinedOr(input.merchantId), newProductOf(input))
      return HttpApiSchema.withHeaders({
        body: productView(product),
        headers: { location: `/v1/products/${product.id}` },
      })
    })

    const listMovements = Effect.fnUntraced(function* (
      id: ProductId,
      query: { readonly limit?: number; readonly starting_after?: StockMovementId },
    ) {
      const { account } = yield* CurrentPrincipal
      const page = yield* movements.list(account, id, {
        limit: query.limit ?? pageSizeDefault,
        startingAfter: query.starting_after ?? null,
      })
      return { data: page.data.map(movementView), hasMore: page.hasMore }
    })

    const moveStock = Effect.fnUntraced(function* (
      request: HttpServerRequest.HttpServerRequest,
      productId: ProductId,
      key: string,
    ) {
      const { account, caller } = yield* CurrentPrincipal
      yield* movements.mayMove(account, productId)
      const { kind, quantity, reason = null } = yield* readMovement(request)
      const outcome = yield* writer.move({
        caller,
        key,
        fingerprint: movementFingerprint(productId, kind, quantity, reason),
        productId,
        kind,
        delta: deltaOf(kind, quantity),
        reason,
      })
      switch (outcome._tag) {
        case "Refused":
          // The path named it, so it is not there rather than unknown.
          return yield* Effect.fail(outcome.refusal.code === "unknown_product" ? notFound : outcome.refusal)
        case "Moved": {
          const createdAt = isoTime(outcome.createdAtMillis)
          const body = { id: outcome.movementId, productId, kind, quantity, reason, createdAt }
          return HttpApiSchema.withHeaders({ body, headers: {} })
        }
        case "Repeated": {
          const body = movementView(yield* movements.get(outcome.movementId))
          return HttpApiSchema.withHeaders({ body, headers: { "idempotency-replayed": "true" as const } })
        }
      }
    })

    return handlers
      .handleRaw("create", ({ request }) => answeringInTime(create(request)))
      .handleRaw("moveStock", ({ headers, params, request }) =>
        answeringInTime(moveStock(request, params.id, headers["idempotency-key"])),
      )
      .handle("listMovements", ({ params, query }) => answeringInTime(listMovements(params.id, query)))
  }),
)
