/**
 * Merchants: any account may apply, an admin approves, and only members of an approved one sell. Must stay true: an
 * approval is committed before the cached roles are dropped, so that no request after the answer sees the old ones.
 */
import { Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient, type SqlError } from "effect/sql"
import { merchantsOfAccountMax } from "../accounts/accountBounds.ts"
import {
  forbidden,
  notFound,
  notSuspendable,
  unauthenticated,
  type Forbidden,
  type NotFound,
  type NotSuspendable,
  type Unauthenticated,
} from "../accounts/accountRefusals.ts"
import type { MerchantStatus } from "../accounts/principal.ts"
import { Sessions } from "../accounts/Sessions.ts"
import { MerchantId, type AccountId } from "../domain/ids.ts"
import { beforeEveryId, type Page, pageOf } from "../domain/page.ts"

export interface Merchant {
  readonly id: MerchantId
  readonly name: string
  readonly status: MerchantStatus
}

export class Merchants extends Context.Service<
  Merchants,
  {
    readonly apply: (
      accountId: AccountId,
      name: string,
    ) => Effect.Effect<Merchant, Forbidden | Unauthenticated | SqlError.SqlError>
    /** All of them, or those of one member. */
    readonly list: (options: {
      readonly memberId: AccountId | null
      readonly startingAfter: MerchantId | null
      readonly limit: number
    }) => Effect.Effect<Page<Merchant>, SqlError.SqlError>
    /** The row and the roles alone, as for a merchant that nobody has sold for; `MerchantStanding` tells the shards. */
    readonly approve: (id: MerchantId) => Effect.Effect<Merchant, NotFound | SqlError.SqlError>
    readonly suspend: (id: MerchantId) => Effect.Effect<Merchant, NotFound | NotSuspendable | SqlError.SqlError>
  }
>()("hedonify/merchants/Merchants") {
  static readonly layer = Layer.effect(
    Merchants,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const sessions = yield* Sessions

      const apply = Effect.fn("Merchants.apply")(function* (accountId: AccountId, name: string) {
        const id = MerchantId.make(SecureRandom.uuidV7Unsafe())
        // The account's row is locked, so that applications of one account are counted one at a time, and one that waited
        // while the account was erased comes to nothing.
        const rows = yield* sql<{ readonly id: MerchantId }>`
          with account as materialized (
            select id from accounts where id = ${accountId} and erased_at is null for update),
          allowed as (select (select count(*) from merchant_members where account_id = account.id)
            < ${merchantsOfAccountMax}::int as yes from account),
          merchant as (insert into merchants (id, name) select ${id}::uuid, ${name}::text from allowed where yes
            returning id)
          insert into merchant_members (merchant_id, account_id) select id, ${accountId}::uuid from merchant
          returning merchant_id as id`
        if (rows.length === 0) {
          const account = yield* sql`select 1 from accounts where id = ${accountId} and erased_at is null`
          if (account.length === 0) return yield* Effect.fail(unauthenticated)
          return yield* Effect.fail(forbidden(`An account may belong to ${merchantsOfAccountMax} merchants at most.`))
        }
        const status: MerchantStatus = "pending"
        return { id, name, status }
      })

      const list = Effect.fn("Merchants.list")(function* (options: {
        readonly memberId: AccountId | null
        readonly startingAfter: MerchantId | null
        readonly limit: number
      }) {
        const after = options.startingAfter ?? beforeEveryId
        const rows = yield* options.memberId === null
          ? sql<Merchant>`
              select id, name, status from merchants where id > ${after} order by id limit ${options.limit + 1}`
          : sql<Merchant>`
              select m.id, m.name, m.status from merchant_members mm join merchants m on m.id = mm.merchant_id
              where mm.account_id = ${options.memberId} and mm.merchant_id > ${after}
              order by mm.merchant_id limit ${options.limit + 1}`
        return pageOf(rows, options.limit)
      })

      const approve = Effect.fn("Merchants.approve")(function* (id: MerchantId) {
        const rows = yield* sql<Merchant>`
          update merchants set status = 'approved', approved_at = coalesce(approved_at, now())
          where id = ${id} returning id, name, status`
        const merchant = rows[0]
        if (merchant === undefined) return yield* Effect.fail(notFound)
        yield* sessions.rolesChanged
        return merchant
      })

      const suspend = Effect.fn("Merchants.suspend")(function* (id: MerchantId) {
        const rows = yield* sql<Merchant>`
          update merchants set status = 'suspended' where id = ${id} and status <> 'pending' returning id, name, status`
        const merchant = rows[0]
        if (merchant === undefined) {
          const known = yield* sql`select 1 from merchants where id = ${id}`
          return yield* Effect.fail(known.length === 0 ? notFound : notSuspendable)
        }
        yield* sessions.rolesChanged
        return merchant
      })

      return Merchants.of({ apply, list, approve, suspend })
    }),
  )
}
