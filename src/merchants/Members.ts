/**
 * Who acts for a merchant. Must stay true: a merchant keeps at least one member, whoever leaves at the same instant;
 * an erased account becomes nobody's member; what changed holds from the next request on.
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import {
  memberAttemptRefillMillis,
  memberAttemptsBurst,
  limitedCallersMax,
  membersMax,
  merchantsOfAccountMax,
} from "../accounts/accountBounds.ts"
import {
  lastMember,
  notFound,
  tooMany,
  tooManyRequests,
  type LastMember,
  type NotFound,
  type TooMany,
  type TooManyRequests,
} from "../accounts/accountRefusals.ts"
import { Sessions } from "../accounts/Sessions.ts"
import type { AccountId, MerchantId } from "../domain/ids.ts"
import { beforeEveryId, type Page, pageOf } from "../domain/page.ts"
import { TokenBuckets } from "../platform/redis/TokenBuckets.ts"

export interface Member {
  readonly accountId: AccountId
  readonly email: string
  readonly name: string
  readonly createdAtMillis: number
}

export class Members extends Context.Service<
  Members,
  {
    readonly list: (
      merchantId: MerchantId,
      page: { readonly startingAfter: AccountId | null; readonly limit: number },
    ) => Effect.Effect<Page<Member>, SqlError.SqlError>
    /**
     * Makes the account of this address a member; safe to repeat. `not_found` where there is no such account, which an
     * account may be told a few times only.
     */
    readonly add: (
      by: AccountId,
      merchantId: MerchantId,
      email: string,
    ) => Effect.Effect<Member, NotFound | TooMany | TooManyRequests | SqlError.SqlError>
    /** Safe to repeat. */
    readonly remove: (
      merchantId: MerchantId,
      accountId: AccountId,
    ) => Effect.Effect<void, NotFound | LastMember | SqlError.SqlError>
  }
>()("hedonify/merchants/Members") {
  static readonly layer = Layer.effect(
    Members,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const sessions = yield* Sessions
  const attempts = (yield* TokenBuckets).make({
    purpose: "members",
    burst: memberAttemptsBurst,
    refillMillis: memberAttemptRefillMillis,
    bucketsMax: limitedCallersMax,
  })

  const select = sql.literal(`select a.id as "accountId", a.email, a.name,
    floor(extract(epoch from m.created_at) * 1000)::float8 as "createdAtMillis"
    from merchant_members m join accounts a on a.id = m.account_id`)

  /** Locked, so that members are counted one at a time; a later statement sees what was counted before. */
  const lock = Effect.fnUntraced(function* (merchantId: MerchantId) {
    const rows = yield* sql`select 1 from merchants where id = ${merchantId} for no key update`
    if (rows.length === 0) return yield* Effect.fail(notFound)
  })

  const list = Effect.fn("Members.list")(function* (
    merchantId: MerchantId,
    page: { readonly startingAfter: AccountId | null; readonly limit: number },
  ) {
    const rows = yield* sql<Member>`
      ${select} where m.merchant_id = ${merchantId} and m.account_id > ${page.startingAfter ?? beforeEveryId}
      order by m.account_id limit ${page.limit + 1}`
    return pageOf(rows, page.limit)
  })

  const insert = Effect.fnUntraced(
    function* (merchantId: MerchantId, email: string) {
      // The account before the merchant, as an account that is erased locks them; it is not erased meanwhile.
      const [account] = yield* sql<{ readonly id: AccountId }>`
        select id from accounts where lower(email) = lower(${email}) and erased_at is null for update`
      if (account === undefined) return yield* Effect.fail(notFound)
      yield* lock(merchantId)
      const [known] = yield* sql<Member>`
        ${select} where m.merchant_id = ${merchantId} and m.account_id = ${account.id}`
      if (known !== undefined) return known
      const added = yield* sql`
        insert into merchant_members (merchant_id, account_id) select ${merchantId}::uuid, ${account.id}::uuid
        where (select count(*) from merchant_members where merchant_id = ${merchantId}) < ${membersMax}::int
          and (select count(*) from merchant_members where account_id = ${account.id}) < ${merchantsOfAccountMax}::int
        returning 1`
      if (added.length === 0) {
        return yield* Effect.fail(
          tooMany(
            `A merchant has ${membersMax} members at most, and an account belongs to ${merchantsOfAccountMax} merchants at most.`,
          ),
        )
      }
      const [member] = yield* sql<Member>`
        ${select} where m.merchant_id = ${merchantId} and m.account_id = ${account.id}`
      return yield* Effect.orDie(Effect.fromNullishOr(member))
    },
    (effect) => sql.withTransaction(effect),
  )

  const add = Effect.fn("Members.add")(function* (by: AccountId, merchantId: MerchantId, email: string) {
    const { granted, waitMillis } = yield* attempts.takeUpTo(by, 1)
    if (granted === 0) return yield* Effect.fail(tooManyRequests(waitMillis))
    const member = yield* insert(merchantId, email)
    yield* sessions.rolesChanged
    return member
  })

  const take = Effect.fnUntraced(
    function* (merchantId: MerchantId, accountId: AccountId) {
      yield* lock(merchantId)
      const rows = yield* sql<{ readonly others: boolean; readonly isMember: boolean }>`
        select exists (select from merchant_members where merchant_id = ${merchantId} and account_id <> ${accountId})
            as others,
          exists (select from merchant_members where merchant_id = ${merchantId} and account_id = ${accountId})
            as "isMember"`
      if (rows[0]?.isMember !== true) return
      if (!rows[0].others) return yield* Effect.fail(lastMember)
      yield* sql`delete from merchant_members where merchant_id = ${merchantId} and account_id = ${accountId}`
    },
    (effect) => sql.withTransaction(effect),
  )

  const remove = Effect.fn("Members.remove")(function* (merchantId: MerchantId, accountId: AccountId) {
    yield* take(merchantId, accountId)
    yield* sessions.rolesChanged
  })

  return Members.of({ list, add, remove })
})
