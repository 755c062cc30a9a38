/**
 * Sessions: who signed in, until when, and who a token stands for now. Must stay true: wrong passwords are slowed by
 * e-mail and by network address; a sign-out, or a change of roles made in this process, holds for the next request of
 * the same token; and finding out who calls costs no query while it is fresh in memory.
 */
import { Cache, Context, Effect, Exit, Layer, type Redacted, Schedule } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient, type SqlError } from "effect/sql"
import { CallerId, SessionId, type AccountId } from "../domain/ids.ts"
import { busy, type Busy } from "../domain/refusals.ts"
import { interruptibleAtOnce } from "../platform/interruptibleAtOnce.ts"
import { TokenBuckets } from "../platform/redis/TokenBuckets.ts"
import {
  addressFailureRefillMillis,
  addressFailuresBurst,
  emailFailureRefillMillis,
  emailFailuresBurst,
  failureBucketsMax,
  principalLookupMaxMillis,
  principalsMax,
  principalTtlMillis,
  sessionPruneIntervalMillis,
  sessionTtlMillis,
} from "./accountBounds.ts"
import {
  badCredentials,
  tooManyRequests,
  unauthenticated,
  type BadCredentials,
  type TooManyRequests,
  type Unauthenticated,
} from "./accountRefusals.ts"
import { Passwords } from "./Passwords.ts"
import type { Account, Membership, Principal } from "./principal.ts"
import { pruneSessions } from "./sessionPruning.ts"
import { Tokens } from "./Tokens.ts"

export interface Credentials {
  readonly email: string
  readonly password: Redacted.Redacted
  /** The network address the attempt came from. */
  readonly address: string
}

export interface OpenedSession {
  readonly token: string
  readonly expiresAtMillis: number
}

export class Sessions extends Context.Service<
  Sessions,
  {
    readonly signIn: (
      credentials: Credentials,
    ) => Effect.Effect<
      OpenedSession & { readonly account: Account },
      BadCredentials | TooManyRequests | Busy | SqlError.SqlError
    >
    /** A session without a password: for what the service itself sets up, such as its demonstration. */
    readonly open: (accountId: AccountId) => Effect.Effect<OpenedSession, SqlError.SqlError>
    /**
     * Sets another password and ends every other session of the account. A wrong current one is answered and slowed as
     * a sign-in that failed.
     */
    readonly changePassword: (
      sessionId: SessionId,
      newPassword: Redacted.Redacted,
      current: Credentials,
    ) => Effect.Effect<void, BadCredentials | TooManyRequests | Busy | SqlError.SqlError>
    readonly signOut: (sessionId: SessionId) => Effect.Effect<void, SqlError.SqlError>
    readonly authenticate: (token: string) => Effect.Effect<Principal, Unauthenticated | Busy | SqlError.SqlError>
    /** To be called after any change of roles, memberships or merchants' status has been committed. */
    readonly rolesChanged: Effect.Effect<void>
  }
>()("hedonify/accounts/Sessions") {
  static readonly layer = Layer.effect(
    Sessions,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const passwords = yield* Passwords
      const tokens = yield* Tokens
      const failures = makeSignInFailures(yield* TokenBuckets)

      const lookup = (sessionId: SessionId) =>
        Effect.timeoutOrElse(interruptibleAtOnce(loadPrincipal(sql)(sessionId)), {
          duration: principalLookupMaxMillis,
          orElse: () => Effect.fail(busy),
        })
      const principals = yield* Cache.makeWith(lookup, {
        capacity: principalsMax,
        timeToLive: (exit) => (Exit.isSuccess(exit) ? principalTtlMillis : 0),
      })

      const authenticate = Effect.fnUntraced(function* (token: string) {
        const verified = yield* tokens.verify(token)
        return yield* Cache.get(principals, verified.sessionId)
      })

      const open = Effect.fnUntraced(function* (accountId: AccountId) {
        const sessionId = SessionId.make(SecureRandom.uuidV7Unsafe())
        // Whole seconds, as the token counts them.
        const rows = yield* sql<{ readonly expiresAtMillis: number }>`
          insert into sessions (id, account_id, expires_at)
          values (${sessionId}, ${accountId},
            date_trunc('second', now()) + ${sessionTtlMillis}::float8 * interval '1 millisecond')
          returning (extract(epoch from expires_at) * 1000)::float8 as "expiresAtMillis"`
        const { expiresAtMillis } = yield* Effect.fromNullishOr(rows[0]).pipe(Effect.orDie)
        return { token: yield* tokens.sign({ sessionId, expiresAtMillis }), expiresAtMillis }
      })

      /** Whose credentials these are; slows those who guess. */
      const verified = Effect.fnUntraced(function* (credentials: Credentials) {
        const email = credentials.email.toLowerCase()
        yield* failures.admit(email, credentials.address)
        const rows = yield* sql<{ readonly id: AccountId; readonly passwordHash: string }>`
          select id, password_hash as "passwordHash" from accounts where lower(email) = lower(${credentials.email})`.pipe(
          Effect.tapError(() => failures.giveBack(email)),
        )
        const found = rows[0]
        const matches = yield* passwords
          .verify(found?.passwordHash ?? null, credentials.password)
          .pipe(Effect.tapError(() => failures.giveBack(email)))
        if (found === undefined || !matches) {
          yield* failures.failed(credentials.address)
          return yield* Effect.fail(badCredentials)
        }
        yield* failures.giveBack(email)
        return found
      })

      const signIn = Effect.fn("Sessions.signIn")(function* (credentials: Credentials) {
        const found = yield* verified(credentials)
        const account = yield* loadAccount(sql, found.id)
        if (account === undefined) return yield* Effect.fail(badCredentials)
        const session = yield* open(found.id)
        // The password may have been changed since it was compared, and that ended the sessions that were there. The
        // look waits for a change under way: one that did not left a session of the old password alive.
        const still = yield* sql`
          select 1 from accounts where id = ${found.id} and password_hash = ${found.passwordHash} for share`
        if (still.length === 0) return yield* Effect.fail(badCredentials)
        return { ...session, account }
      })

      const replacePassword = Effect.fnUntraced(
        function* (sessionId: SessionId, accountId: AccountId, from: string, to: string) {
          const changed = yield* sql`
            update accounts set password_hash = ${to} where id = ${accountId} and password_hash = ${from} returning 1`
          if (changed.length === 0) return yield* Effect.fail(badCredentials)
          yield* sql`
            update sessions set revoked_at = now()
            where account_id = ${accountId} and id <> ${sessionId} and revoked_at is null`
        },
        (effect) => sql.withTransaction(effect),
      )

      const changePassword = Effect.fn("Sessions.changePassword")(function* (
        sessionId: SessionId,
        newPassword: Redacted.Redacted,
        current: Credentials,
      ) {
        const found = yield* verified(current)
        const hash = yield* passwords.hash(newPassword)
        yield* replacePassword(sessionId, found.id, found.passwordHash, hash)
        yield* Cache.invalidateAll(principals)
      })

      const signOut = Effect.fn("Sessions.signOut")(function* (sessionId: SessionId) {
        yield* sql`update sessions set revoked_at = now() where id = ${sessionId} and revoked_at is null`
        yield* Cache.invalidate(principals, sessionId)
      })

      yield* pruneSessions(sql).pipe(
        Effect.catch((error) => Effect.logWarning("Ended sessions could not be pruned", error)),
        Effect.repeat(Schedule.spaced(sessionPruneIntervalMillis)),
        Effect.delay(sessionPruneIntervalMillis),
        Effect.forkScoped,
      )

      return Sessions.of({
        signIn,
        changePassword,
        open,
        signOut,
        authenticate,
        // All of them: a look-up under way may still carry the old roles, and changes are rare.
        rolesChanged: Cache.invalidateAll(principals),
      })
    }),
  )
}

interface AccountRow {
  readonly id: AccountId
  readonly email: string
  readonly name: string
  readonly isAdmin: boolean
  readonly memberships: ReadonlyArray<Membership>
}

const loadAccount = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, id: AccountId) {
  const rows = yield* sql<AccountRow>`
    select a.id, a.email, a.name, a.is_admin as "isAdmin", ${sql.literal(membershipsOfAccount)} as memberships
    from accounts a where a.id = ${id} and a.erased_at is null`
  return rows[0]
})

const membershipsOfAccount = `coalesce((
  select json_agg(json_build_object('merchantId', m.id, 'status', m.status) order by m.id)
  from merchant_members mm join merchants m on m.id = mm.merchant_id where mm.account_id = a.id), '[]'::json)`

const loadPrincipal = (sql: SqlClient.SqlClient) =>
  Effect.fnUntraced(function* (sessionId: SessionId) {
    const rows = yield* sql<AccountRow>`
      select a.id, a.email, a.name, a.is_admin as "isAdmin", ${sql.literal(membershipsOfAccount)} as memberships
      from sessions s join accounts a on a.id = s.account_id
      where s.id = ${sessionId} and s.revoked_at is null and s.expires_at > now() and a.erased_at is null`
    const account = rows[0]
    if (account === undefined) return yield* Effect.fail(unauthenticated)
    return { _tag: "Account" as const, account, caller: CallerId.make(account.id), sessionId }
  })

/**
 * An attempt takes its e-mail's token before the password is looked at, so that many at once cannot all pass; a network
 * address is only charged for what failed, since a whole office may be signing in behind it.
 */
const makeSignInFailures = (tokenBuckets: TokenBuckets["Service"]) => {
  const byEmail = tokenBuckets.make({
    purpose: "sign-in:email",
    burst: emailFailuresBurst,
    refillMillis: emailFailureRefillMillis,
    bucketsMax: failureBucketsMax,
  })
  const byAddress = tokenBuckets.make({
    purpose: "sign-in:address",
    burst: addressFailuresBurst,
    refillMillis: addressFailureRefillMillis,
    bucketsMax: failureBucketsMax,
  })
  return {
    admit: Effect.fnUntraced(function* (email: string, address: string) {
      // Both at once, since the wait for Redis is bounded for the two together.
      const [taken, addressWaitMillis] = yield* Effect.all(
        [byEmail.takeUpTo(email, 1), byAddress.waitMillis(address)],
        {
          concurrency: "unbounded",
        },
      )
      const waitMillis = Math.max(taken.waitMillis, addressWaitMillis)
      if (waitMillis === 0) return
      if (taken.granted === 1) yield* byEmail.giveBack(email)
      return yield* Effect.fail(tooManyRequests(waitMillis))
    }),
    giveBack: byEmail.giveBack,
    failed: byAddress.take,
  }
}
