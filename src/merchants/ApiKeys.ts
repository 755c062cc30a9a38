/**
 * Keys of channels: made by a merchant's members, shown once, revoked for good. Must stay true: a key stands for its own
 * merchant and nobody else; once revoked it is refused from the next request on in this process, and elsewhere once
 * `principalTtlMillis` have passed; finding out whose it is costs no query while it is fresh in memory.
 */
import { Cache, Clock, Context, Effect, Exit, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient, type SqlError } from "effect/sql"
import {
  apiKeysMax,
  apiKeyLengthMax,
  apiKeyUseIntervalMillis,
  channelsMax,
  principalLookupMaxMillis,
  principalTtlMillis,
} from "../accounts/accountBounds.ts"
import {
  notFound,
  tooMany,
  unauthenticated,
  type NotFound,
  type TooMany,
  type Unauthenticated,
} from "../accounts/accountRefusals.ts"
import type { Channel, MerchantStatus } from "../accounts/principal.ts"
import { type AccountId, ApiKeyId, CallerId, type MerchantId } from "../domain/ids.ts"
import { beforeEveryId, type Page, pageOf } from "../domain/page.ts"
import { busy, type Busy } from "../domain/refusals.ts"
import { interruptibleAtOnce } from "../platform/interruptibleAtOnce.ts"
import { newSecret, secretHash } from "./apiKey.ts"

export interface ApiKey {
  readonly id: ApiKeyId
  readonly name: string
  readonly createdAtMillis: number
  readonly lastUsedAtMillis: number | null
  readonly revokedAtMillis: number | null
}

export interface NewApiKey extends ApiKey {
  readonly secret: string
}

export class ApiKeys extends Context.Service<
  ApiKeys,
  {
    readonly create: (
      merchantId: MerchantId,
      accountId: AccountId,
      name: string,
    ) => Effect.Effect<NewApiKey, NotFound | TooMany | SqlError.SqlError>
    /** The earliest first, revoked ones too. */
    readonly list: (
      merchantId: MerchantId,
      page: { readonly startingAfter: ApiKeyId | null; readonly limit: number },
    ) => Effect.Effect<Page<ApiKey>, SqlError.SqlError>
    /** Safe to repeat. */
    readonly revoke: (merchantId: MerchantId, id: ApiKeyId) => Effect.Effect<void, NotFound | SqlError.SqlError>
    readonly authenticate: (secret: string) => Effect.Effect<Channel, Unauthenticated | Busy | SqlError.SqlError>
    /** To be called after a change of a merchant's status has been committed. */
    readonly standingChanged: Effect.Effect<void>
  }
>()("hedonify/merchants/ApiKeys") {
  static readonly layer = Layer.effect(
    ApiKeys,
    Effect.suspend(() => make),
  )
}

interface ChannelRow {
  readonly keyId: ApiKeyId
  readonly merchantId: MerchantId
  readonly merchantStatus: MerchantStatus
  readonly lastUsedAtMillis: number | null
}

const columns = `id, name, floor(extract(epoch from created_at) * 1000)::float8 as "createdAtMillis",
  floor(extract(epoch from last_used_at) * 1000)::float8 as "lastUsedAtMillis",
  floor(extract(epoch from revoked_at) * 1000)::float8 as "revokedAtMillis"`

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const scope = yield* Effect.scope

  const load = Effect.fnUntraced(function* (secret: string) {
    const rows = yield* sql<ChannelRow>`
      select k.id as "keyId", k.merchant_id as "merchantId", m.status as "merchantStatus",
        (extract(epoch from k.last_used_at) * 1000)::float8 as "lastUsedAtMillis"
      from api_keys k join merchants m on m.id = k.merchant_id
      where k.secret_hash = decode(${secretHash(secret).toString("hex")}, 'hex') and k.revoked_at is null`
    const row = rows[0]
    if (row === undefined) return yield* Effect.fail(unauthenticated)
    const { keyId, lastUsedAtMillis, merchantId, merchantStatus } = row
    const channel: Channel = {
      _tag: "Channel",
      caller: CallerId.make(merchantId),
      merchantId,
      isApproved: merchantStatus === "approved",
    }
    return { channel, keyId, usedAtMillis: lastUsedAtMillis ?? 0 }
  })
  const channels = yield* Cache.makeWith(
    (secret: string) =>
      Effect.timeoutOrElse(interruptibleAtOnce(load(secret)), {
        duration: principalLookupMaxMillis,
        orElse: () => Effect.fail(busy),
      }),
    { capacity: channelsMax, timeToLive: (exit) => (Exit.isSuccess(exit) ? principalTtlMillis : 0) },
  )
  /** All of them: a look-up under way may still carry what was, and changes are rare. */
  const standingChanged = Cache.invalidateAll(channels)

  /** The row decides, too, since other processes write it as well. */
  const writeUse = (keyId: ApiKeyId) =>
    sql`update api_keys set last_used_at = now() where id = ${keyId}
      and (last_used_at is null or last_used_at < now() - ${apiKeyUseIntervalMillis / 1_000}::float8 * interval '1 second')`.pipe(
      Effect.catch((error) => Effect.logWarning("The use of an API key could not be written down", error)),
      Effect.annotateLogs({ keyId }),
      Effect.forkIn(scope),
    )

  const authenticate = Effect.fnUntraced(function* (secret: string) {
    if (secret.length > apiKeyLengthMax) return yield* Effect.fail(unauthenticated)
    const found = yield* Cache.get(channels, secret)
    const nowMillis = yield* Clock.currentTimeMillis
    if (nowMillis - found.usedAtMillis > apiKeyUseIntervalMillis) {
      found.usedAtMillis = nowMillis
      yield* writeUse(found.keyId)
    }
    return found.channel
  })

  const create = Effect.fn("ApiKeys.create")(
    function* (merchantId: MerchantId, accountId: AccountId, name: string) {
      const id = ApiKeyId.make(SecureRandom.uuidV7Unsafe())
      const secret = newSecret()
      // Locked, so that keys of one merchant are counted one at a time; a later statement sees what was counted before.
      const merchant = yield* sql`select 1 from merchants where id = ${merchantId} for no key update`
      if (merchant.length === 0) return yield* Effect.fail(notFound)
      const rows = yield* sql<ApiKey>`
        insert into api_keys (id, merchant_id, name, secret_hash, created_by)
        select ${id}::uuid, ${merchantId}::uuid, ${name}::text,
          decode(${secretHash(secret).toString("hex")}, 'hex'), ${accountId}::uuid
        where (select count(*) from api_keys where merchant_id = ${merchantId} and revoked_at is null) < ${apiKeysMax}::int
        returning ${sql.literal(columns)}`
      const key = rows[0]
      if (key === undefined) return yield* Effect.fail(tooMany(`A merchant has ${apiKeysMax} API keys at most.`))
      return { ...key, secret }
    },
    (effect) => sql.withTransaction(effect),
  )

  const list = Effect.fn("ApiKeys.list")(function* (
    merchantId: MerchantId,
    page: { readonly startingAfter: ApiKeyId | null; readonly limit: number },
  ) {
    const rows = yield* sql<ApiKey>`
      select ${sql.literal(columns)} from api_keys
      where merchant_id = ${merchantId} and id > ${page.startingAfter ?? beforeEveryId}
      order by id limit ${page.limit + 1}`
    return pageOf(rows, page.limit)
  })

  const revoke = Effect.fn("ApiKeys.revoke")(function* (merchantId: MerchantId, id: ApiKeyId) {
    const rows = yield* sql`
      update api_keys set revoked_at = coalesce(revoked_at, now())
      where id = ${id} and merchant_id = ${merchantId} returning id`
    if (rows.length === 0) return yield* Effect.fail(notFound)
    yield* standingChanged
  })

  return ApiKeys.of({ create, list, revoke, authenticate, standingChanged })
})
