/**
 * How a product's stock came to be what it is: its movements, oldest first, for members of its merchant and admins.
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { forbidden, notFound, type Forbidden, type NotFound } from "../accounts/accountRefusals.ts"
import { actsFor, belongsTo, type Account } from "../accounts/principal.ts"
import type { MovementKind } from "../domain/commands.ts"
import type { AccountId, MerchantId, ProductId, StockMovementId } from "../domain/ids.ts"
import { beforeEveryId, type Page, pageOf } from "../domain/page.ts"

export interface StockMovement {
  readonly id: StockMovementId
  readonly productId: ProductId
  readonly kind: MovementKind
  /** What it added to the stock. */
  readonly delta: number
  readonly reason: string | null
  /** Null for the stock that the product was created with. */
  readonly movedBy: { readonly id: AccountId; readonly name: string | null } | null
  readonly createdAtMillis: number
}

interface MovementRow extends Omit<StockMovement, "movedBy"> {
  readonly accountId: AccountId | null
  readonly accountName: string | null
}

/** A movement's quantity as a caller writes it: what is written off counts up, only a correction has a sign. */
export const quantityOf = (kind: MovementKind, delta: number): number => (kind === "writtenOff" ? -delta : delta)
export const deltaOf = (kind: MovementKind, quantity: number): number => (kind === "writtenOff" ? -quantity : quantity)

const columns = `m.id, m.product_id as "productId", m.kind, m.delta, m.reason,
  floor(extract(epoch from m.created_at) * 1000)::float8 as "createdAtMillis", a.id as "accountId",
  a.name as "accountName"`

const movementOf = ({ accountId, accountName, ...row }: MovementRow): StockMovement => ({
  ...row,
  movedBy: accountId === null ? null : { id: accountId, name: accountName },
})

export class StockMovements extends Context.Service<
  StockMovements,
  {
    /** A page of 1 to `pageSizeMax` movements, oldest first, for members of the product's merchant and admins. */
    readonly list: (
      account: Account,
      productId: ProductId,
      page: { readonly limit: number; readonly startingAfter: StockMovementId | null },
    ) => Effect.Effect<Page<StockMovement>, Forbidden | NotFound | SqlError.SqlError>
    /** Whoever asks has been seen to. */
    readonly get: (id: StockMovementId) => Effect.Effect<StockMovement, NotFound | SqlError.SqlError>
    /** Fails unless the account may move this product's stock now. */
    readonly mayMove: (
      account: Account,
      productId: ProductId,
    ) => Effect.Effect<void, Forbidden | NotFound | SqlError.SqlError>
  }
>()("hedonify/catalogue/StockMovements") {
  static readonly layer = Layer.effect(
    StockMovements,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient

      const merchantOf = Effect.fnUntraced(function* (productId: ProductId) {
        const rows = yield* sql<{ readonly merchantId: MerchantId }>`
          select merchant_id as "merchantId" from products where id = ${productId}`
        return rows[0]?.merchantId ?? (yield* Effect.fail(notFound))
      })

      const mayMove = Effect.fnUntraced(function* (account: Account, productId: ProductId) {
        const merchantId = yield* merchantOf(productId)
        if (actsFor(account, merchantId)) return
        return yield* Effect.fail(forbidden("Only members of the product's approved merchant move its stock."))
      })

      const list = Effect.fn("StockMovements.list")(function* (
        account: Account,
        productId: ProductId,
        page: { readonly limit: number; readonly startingAfter: StockMovementId | null },
      ) {
        const merchantId = yield* merchantOf(productId)
        if (!account.isAdmin && !belongsTo(account, merchantId)) {
          return yield* Effect.fail(forbidden("Only members of the product's merchant see its movements."))
        }
        const rows = yield* sql<MovementRow>`
          select ${sql.literal(columns)} from stock_movements m left join accounts a on a.id = m.caller
          where m.product_id = ${productId} and m.id > ${page.startingAfter ?? beforeEveryId}
          order by m.id limit ${page.limit + 1}`
        return pageOf(rows.map(movementOf), page.limit)
      })

      const get = Effect.fn("StockMovements.get")(function* (id: StockMovementId) {
        const [row] = yield* sql<MovementRow>`
          select ${sql.literal(columns)} from stock_movements m left join accounts a on a.id = m.caller
          where m.id = ${id}`
        return row === undefined ? yield* Effect.fail(notFound) : movementOf(row)
      })

      return StockMovements.of({ get, list, mayMove })
    }),
  )
}
