/**
 * The catalogue over HTTP, open to anyone: products with an ETag, and lists of them.
 */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder, HttpApiSchema } from "effect/http-api"
import { Products } from "../../catalogue/Products.ts"
import { wordsOf } from "../../catalogue/searchWords.ts"
import { pageSizeDefault } from "../../domain/bounds.ts"
import type { MerchantId, ProductId } from "../../domain/ids.ts"
import { Api } from "../contract/Api.ts"
import { etagOf, namesTag } from "../entityTags.ts"
import { productView } from "../productView.ts"
import { answeringInTime } from "../respond.ts"

interface ProductListQuery {
  readonly limit?: number
  readonly starting_after?: ProductId
  readonly q?: string
  readonly merchantId?: MerchantId
  readonly inStock?: "true" | "false"
}

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

    const list = Effect.fnUntraced(function* (query: ProductListQuery) {
      const page = yield* products.list({
        limit: query.limit ?? pageSizeDefault,
        startingAfter: query.starting_after ?? null,
        words: query.q === undefined || query.q === "" ? null : wordsOf(query.q),
        merchantId: query.merchantId ?? null,
        inStock: query.inStock === undefined ? null : query.inStock === "true",
      })
      return { ...page, data: page.data.map(productView) }
    })

    return handlers
      .handle("get", ({ headers, params }) => answeringInTime(get(params.id, headers["if-none-match"])))
      .handle("list", ({ query }) => answeringInTime(list(query)))
  }),
)
