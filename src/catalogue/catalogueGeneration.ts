/**
 * The number that moves on with every change of the catalogue, in PostgreSQL. Must stay true: it moves after the commit
 * of the change and before anybody is told of it, and whoever keeps a page has read it before the page; so a page kept
 * under today's number is as good as one found now, whichever process found it.
 */
import { Effect, Struct } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { ProductId } from "../domain/ids.ts"
import type { Product } from "./product.ts"
import { columns, productsOf, type ProductRow } from "./productStatements.ts"

/** Compared and never counted with, so it is text; and of this database, for a copy has the numbers of its original. */
export type Generation = string

const generation = `last_value || '@' || current_database()`

export const readGeneration = (sql: SqlClient.SqlClient): Effect.Effect<Generation, SqlError.SqlError> =>
  Effect.flatMap(
    sql<{ readonly generation: Generation }>`
      select ${sql.literal(generation)} as generation from catalogue_generation`,
    (rows) => Effect.orDie(Effect.fromNullishOr(rows[0]?.generation)),
  )

export const moveGeneration = (sql: SqlClient.SqlClient): Effect.Effect<unknown, SqlError.SqlError> =>
  sql`select nextval('catalogue_generation')`

/** These products as they are now, archived ones too, by id, and the generation of this moment, in one look. */
export const lookAt = (
  sql: SqlClient.SqlClient,
  ids: ReadonlyArray<ProductId>,
): Effect.Effect<{ readonly generation: Generation; readonly products: ReadonlyArray<Product> }, SqlError.SqlError> =>
  Effect.map(
    sql<(ProductRow | { readonly id: null }) & { readonly generation: Generation }>`
      select ${sql.literal(generation)} as generation, ${sql.literal(columns)}
      from catalogue_generation
      left join (products p join stock s on s.product_id = p.id)
        on p.id = any (string_to_array(${ids.join(",")}, ',')::uuid[])
      order by p.id`,
    (rows) => ({
      generation: rows[0]?.generation ?? "",
      products: productsOf(rows.flatMap((row) => (row.id === null ? [] : [Struct.omit(row, ["generation"])]))),
    }),
  )
