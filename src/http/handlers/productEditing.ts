/**
 * What a merchant does to its products over HTTP: adding them, one or many, editing, archiving and moving their stock.
 */
import { Effect, Option, Semaphore } from "effect"
import { HttpServerResponse, type HttpServerRequest } from "effect/http"
import { HttpApiBuilder, HttpApiSchema } from "effect/http-api"
import { notFound } from "../../accounts/accountRefusals.ts"
import { ProductEditor } from "../../catalogue/ProductEditor.ts"
import { addsFor } from "../../catalogue/merchantOf.ts"
import { ProductImports } from "../../catalogue/ProductImports.ts"
import { Products } from "../../catalogue/Products.ts"
import { deltaOf, quantityOf, type StockMovement, StockMovements } from "../../catalogue/StockMovements.ts"
import { importsAtOnceMax, pageSizeDefault } from "../../domain/bounds.ts"
import type { MerchantId, ProductId, StockMovementId } from "../../domain/ids.ts"
import { busy } from "../../domain/refusals.ts"
import { importFingerprint, movementFingerprint } from "../../inventory/fingerprint.ts"
import { ProductWriter } from "../../inventory/ProductWriter.ts"
import { Api } from "../contract/Api.ts"
import { CurrentPrincipal } from "../contract/authorization.ts"
import type { ImportOutcome } from "../contract/productImport.ts"
import { AmendProduct, CreateProduct, MoveStock, type StockMovementView } from "../contract/product.ts"
import { versionsOf, etagOf } from "../entityTags.ts"
import { readImport } from "../importBody.ts"
import { isoTime } from "../isoTime.ts"
import { newProductOf, productChangeOf, productView } from "../productView.ts"
import type { RequestRefusal } from "../problems.ts"
import { makeBodyReader } from "../requestBody.ts"
import { answeringInTime } from "../respond.ts"

const ifMatchMissing: RequestRefusal = { code: "if_match_missing" }

interface ImportQuery {
  readonly merchantId?: MerchantId
  readonly dryRun?: "true" | "false"
}

const readNewProduct = makeBodyReader(CreateProduct)
const readChange = makeBodyReader(AmendProduct)
const readMovement = makeBodyReader(MoveStock)

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
    const editor = yield* ProductEditor
    const imports = yield* ProductImports
    const writer = yield* ProductWriter
    const admitted = yield* Semaphore.make(importsAtOnceMax)

    const oneOfFew = <A, E, R>(work: Effect.Effect<A, E, R>) =>
      Effect.flatMap(
        admitted.withPermitsIfAvailable(1)(work),
        Option.match({ onSome: Effect.succeed, onNone: () => Effect.fail(busy) }),
      )

    const create = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const { account } = yield* CurrentPrincipal
      const input = yield* readNewProduct(request)
      const product = yield* products.create(account, Option.fromUndefinedOr(input.merchantId), newProductOf(input))
      return HttpApiSchema.withHeaders({
        body: productView(product),
        headers: { location: `/v1/products/${product.id}`, etag: etagOf(product) },
      })
    })

    const amend = Effect.fnUntraced(function* (
      request: HttpServerRequest.HttpServerRequest,
      id: ProductId,
      ifMatch: string | undefined,
    ) {
      const { account } = yield* CurrentPrincipal
      yield* editor.mayEdit(account, id)
      if (ifMatch === undefined) return yield* Effect.fail(ifMatchMissing)
      const change = productChangeOf(yield* readChange(request))
      const product = yield* editor.edit(id, versionsOf(ifMatch), change)
      return HttpApiSchema.withHeaders({ body: productView(product), headers: { etag: etagOf(product) } })
    })

    const archive = Effect.fnUntraced(function* (id: ProductId, ifMatch: string | undefined) {
      const { account } = yield* CurrentPrincipal
      yield* editor.mayEdit(account, id)
      if (ifMatch === undefined) return yield* Effect.fail(ifMatchMissing)
      yield* editor.edit(id, versionsOf(ifMatch), { archived: true })
    })

    const importProducts = Effect.fnUntraced(function* (
      request: HttpServerRequest.HttpServerRequest,
      key: string,
      query: ImportQuery,
    ) {
      const { account, caller } = yield* CurrentPrincipal
      const merchantId = Option.fromUndefinedOr(query.merchantId)
      // Before the body is read: four megabytes are worked on for a merchant only.
      yield* addsFor(account, merchantId)
      const { bytes, format, rows } = yield* readImport(request)
      const dryRun = query.dryRun === "true"
      const fingerprint = importFingerprint(format, query.merchantId ?? null, bytes)
      const { isReplayed, results } = yield* dryRun
        ? imports.rehearse(account, { merchantId, rows })
        : imports.run(account, { caller, key, fingerprint }, { merchantId, rows })
      const count = (status: string) => results.filter((result) => result.status === status).length
      const outcome: typeof ImportOutcome.Type = {
        dryRun,
        rows: results.length,
        created: count("created"),
        failed: count("failed"),
        results,
      }
      return HttpServerResponse.text(JSON.stringify(outcome), {
        contentType: "application/json",
        ...(isReplayed ? { headers: { "idempotency-replayed": "true" } } : {}),
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
          const movedBy = { id: account.id, name: account.name }
          const body = { id: outcome.movementId, productId, kind, quantity, reason, movedBy, createdAt }
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
      .handleRaw("amend", ({ headers, params, request }) =>
        answeringInTime(amend(request, params.id, headers["if-match"])),
      )
      .handle("archive", ({ headers, params }) => answeringInTime(archive(params.id, headers["if-match"])))
      .handleRaw("import", ({ headers, query, request }) =>
        answeringInTime(oneOfFew(importProducts(request, headers["idempotency-key"], query))),
      )
      .handleRaw("moveStock", ({ headers, params, request }) =>
        answeringInTime(moveStock(request, params.id, headers["idempotency-key"])),
      )
      .handle("listMovements", ({ params, query }) => answeringInTime(listMovements(params.id, query)))
  }),
)
