/**
 * Adding many products at once. Must stay true: a chunk's products and its results come together or not at all, so that
 * whoever sends an import again, at the same time or after a crash in its midst, gets the same results and no product
 * twice; one row's misfit fails that row alone.
 */
import { Array as Chunks, Context, Effect, Layer, Option } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient, type SqlError } from "effect/sql"
import type { Forbidden } from "../accounts/accountRefusals.ts"
import type { Account } from "../accounts/principal.ts"
import { importChunkRows } from "../domain/bounds.ts"
import type { IdempotencyKey } from "../domain/commands.ts"
import { type MerchantId, ProductId, StockMovementId } from "../domain/ids.ts"
import { shardOf } from "../domain/shard.ts"
import { Configuration } from "../platform/Configuration.ts"
import { CatalogueCache } from "./CatalogueCache.ts"
import type { ImportRefusal } from "./catalogueRefusals.ts"
import { addsFor } from "./merchantOf.ts"
import { type ImportOutcome, type ImportResult, type ImportRow, rowOf } from "./productImport.ts"
import { insertProducts, type ProductToInsert } from "./productStatements.ts"

type Failed = Forbidden | ImportRefusal | SqlError.SqlError

export interface WantedImport {
  /** For rows that do not name their merchant. */
  readonly merchantId: Option.Option<MerchantId>
  readonly rows: ReadonlyArray<ImportRow>
}

export class ProductImports extends Context.Service<
  ProductImports,
  {
    /** What would come of each row. */
    readonly rehearse: (account: Account, wanted: WantedImport) => Effect.Effect<ImportOutcome, Failed>
    /**
     * Creates the products of 1 to `importRowsMax` rows, chunk by chunk, each chunk with its results in one statement: a
     * failure or a crash leaves whole chunks, and the same key goes on behind them. Fails with `idempotency_key_reused`
     * where the key stands for another body; a row that fails fails alone, in its result.
     */
    readonly run: (account: Account, key: IdempotencyKey, wanted: WantedImport) => Effect.Effect<ImportOutcome, Failed>
  }
>()("hedonify/catalogue/ProductImports") {
  static readonly layer = Layer.effect(
    ProductImports,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const cache = yield* CatalogueCache
  const { shards } = yield* Configuration

  /** The id of this key's import, which is made unless there is one. */
  const importOf = Effect.fnUntraced(function* ({ caller, fingerprint, key }: IdempotencyKey) {
    yield* sql`
      insert into imports (id, caller, key, fingerprint, created_at)
      values (${SecureRandom.uuidV7Unsafe()}, ${caller}, ${key}, decode(${fingerprint}, 'hex'), now())
      on conflict on constraint imports_key do nothing`
    const [known] = yield* sql<{ readonly id: string; readonly isSame: boolean }>`
      select id, fingerprint = decode(${fingerprint}, 'hex') as "isSame" from imports
      where caller = ${caller} and key = ${key}`
    if (known === undefined) return yield* Effect.die("an import is gone")
    return known.isSame ? known.id : yield* Effect.fail<ImportRefusal>({ code: "idempotency_key_reused" })
  })

  const chunksOf = Effect.fnUntraced(function* (importId: string) {
    const chunks = yield* sql<{ readonly chunk: number; readonly results: ReadonlyArray<ImportResult> }>`
      select chunk, results from import_chunks where import_id = ${importId} order by chunk`
    return new Map(chunks.map(({ chunk, results }) => [chunk, results]))
  })

  /** Writes a chunk and its products, unless another request for the same import has. */
  const write = Effect.fnUntraced(function* (
    importId: string,
    chunk: number,
    results: ReadonlyArray<ImportResult>,
    products: ReadonlyArray<ProductToInsert>,
  ) {
    const [written] = yield* sql<{ readonly isMine: boolean }>`
      with claimed as (
        insert into import_chunks (import_id, chunk, results)
        values (${importId}, ${chunk}, ${JSON.stringify(results)}::json)
        on conflict do nothing
        returning chunk),
      ${insertProducts(sql, products, sql`exists (select from claimed)`)}
      select exists (select from claimed) as "isMine"`
    if (written?.isMine === true) return results
    return (yield* chunksOf(importId)).get(chunk) ?? (yield* Effect.die("a chunk of an import is gone"))
  })

  const productsOf = (chunk: number, rows: ReadonlyArray<ImportRow>) => {
    // Sorted, so that the catalogue shows an import in the order of its rows.
    const ids = rows.map(() => ProductId.make(SecureRandom.uuidV7Unsafe())).sort()
    const products: Array<ProductToInsert> = []
    const results = rows.map((row, index): ImportResult => {
      const id = ids[index]
      const number = chunk * importChunkRows + index + 1
      if (row._tag === "Misfit") return { row: number, status: "failed", errors: row.errors }
      const merchantId = Option.getOrThrow(row.merchantId)
      if (id === undefined) throw new Error("a row has no id")
      const shard = shardOf({ id, merchantId, stockGroup: row.product.stockGroup }, shards)
      const movementId = StockMovementId.make(SecureRandom.uuidV7Unsafe())
      products.push({ ...row.product, id, merchantId, shard, movementId })
      return { row: number, status: "created", productId: id }
    })
    return { products, results }
  }

  const rowsOf = Effect.fnUntraced(function* (account: Account, { merchantId, rows }: WantedImport) {
    const fallback = yield* addsFor(account, merchantId)
    return rows.map((row) => rowOf(account, row, fallback))
  })

  const run = Effect.fn("ProductImports.run")(function* (
    account: Account,
    key: IdempotencyKey,
    wanted: WantedImport,
  ): Effect.fn.Return<ImportOutcome, Failed> {
    const rows = yield* rowsOf(account, wanted)
    const importId = yield* importOf(key)
    const known = yield* chunksOf(importId)
    const chunks = Chunks.chunksOf(rows, importChunkRows)
    const results = yield* Effect.forEach(chunks, (chunkRows, chunk) => {
      const before = known.get(chunk)
      if (before !== undefined) return Effect.succeed(before)
      const { products, results: made } = productsOf(chunk, chunkRows)
      return Effect.tap(write(importId, chunk, made, products), cache.changed)
    })
    const isReplayed = known.size === chunks.length
    // Whoever wrote the last chunk may have ended before it was told; a chunk written here has told of all before it.
    if (isReplayed) yield* cache.changed
    return { results: results.flat(), isReplayed }
  })

  const rehearse = Effect.fn("ProductImports.rehearse")(function* (account: Account, wanted: WantedImport) {
    const rows = yield* rowsOf(account, wanted)
    const results = rows.map((row, index): ImportResult =>
      row._tag === "Misfit"
        ? { row: index + 1, status: "failed", errors: row.errors }
        : { row: index + 1, status: "valid" },
    )
    return { results, isReplayed: false }
  })

  return ProductImports.of({ rehearse, run })
})
