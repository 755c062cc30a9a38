/**
 * Accounts: sign-up, and what an account is allowed to be. Must stay true: an e-mail address has one account however
 * it is written, and no hash ever leaves this folder.
 */
import { Context, Effect, Layer, type Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient, type SqlError } from "effect/sql"
import { AccountId } from "../domain/ids.ts"
import type { Busy } from "../domain/refusals.ts"
import {
  emailTaken,
  forbidden,
  lastMember,
  type EmailTaken,
  type Forbidden,
  type LastMember,
} from "./accountRefusals.ts"
import { Passwords } from "./Passwords.ts"
import type { Account } from "./principal.ts"

export interface NewAccount {
  readonly email: string
  readonly name: string
  readonly password: Redacted.Redacted
}

export class Accounts extends Context.Service<
  Accounts,
  {
    readonly signUp: (input: NewAccount) => Effect.Effect<Account, EmailTaken | Busy | SqlError.SqlError>
    /** Makes an admin of this address unless it has an account already; says whether it did. */
    readonly ensureAdmin: (input: NewAccount) => Effect.Effect<boolean, Busy | SqlError.SqlError>
    /** Refuses what `erase` would. */
    readonly mayBeErased: (account: Account) => Effect.Effect<void, Forbidden | LastMember | SqlError.SqlError>
    /**
     * Takes e-mail, name and hash out for good, ends its sessions and memberships and empties its cart. The row and its
     * orders stay, for the books. To be followed by `Sessions.rolesChanged`. Safe to repeat.
     */
    readonly erase: (account: Account) => Effect.Effect<void, Forbidden | LastMember | SqlError.SqlError>
  }
>()("hedonify/accounts/Accounts") {
  static readonly layer = Layer.effect(
    Accounts,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const passwords = yield* Passwords

      const insert = Effect.fnUntraced(function* (input: NewAccount, isAdmin: boolean) {
        const passwordHash = yield* passwords.hash(input.password)
        const id = AccountId.make(SecureRandom.uuidV7Unsafe())
        const rows = yield* sql<{ readonly id: AccountId }>`
          insert into accounts (id, email, name, password_hash, is_admin)
          values (${id}, ${input.email}, ${input.name}, ${passwordHash}, ${isAdmin})
          on conflict (lower(email)) do nothing
          returning id`
        return rows.length === 0 ? undefined : id
      })

      const signUp = Effect.fn("Accounts.signUp")(function* (input: NewAccount) {
        const id = yield* insert(input, false)
        if (id === undefined) return yield* Effect.fail(emailTaken)
        return { id, email: input.email, name: input.name, isAdmin: false, memberships: [] }
      })

      const ensureAdmin = Effect.fn("Accounts.ensureAdmin")(function* (input: NewAccount) {
        const taken = yield* sql`select 1 from accounts where lower(email) = lower(${input.email})`
        if (taken.length > 0) return false
        return (yield* insert(input, true)) !== undefined
      })

      const mayBeErased = Effect.fn("Accounts.mayBeErased")(function* ({ id, isAdmin }: Account) {
        if (isAdmin) return yield* Effect.fail(forbidden("The account of an admin is not erased."))
        const alone = yield* sql`
          select 1 from merchant_members m where m.account_id = ${id} and not exists (
            select from merchant_members o where o.merchant_id = m.merchant_id and o.account_id <> m.account_id) limit 1`
        if (alone.length > 0) return yield* Effect.fail(lastMember)
      })

      const erase = Effect.fn("Accounts.erase")(
        function* (account: Account) {
          const { id } = account
          // Locked first, the account and then its merchants in their order, so that two members who leave at the same
          // instant are counted one after the other, and nobody makes it a member meanwhile.
          yield* sql`select 1 from accounts where id = ${id} for update`
          yield* sql`
            select 1 from merchants where id in (select merchant_id from merchant_members where account_id = ${id})
            order by id for no key update`
          yield* mayBeErased(account)
          yield* sql`delete from merchant_members where account_id = ${id}`
          yield* sql`update sessions set revoked_at = now() where account_id = ${id} and revoked_at is null`
          yield* sql`delete from cart_lines where account_id = ${id}`
          yield* sql`update carts set version = version + 1, updated_at = now() where account_id = ${id}`
          yield* sql`
            update accounts set email = null, name = null, password_hash = null, erased_at = coalesce(erased_at, now())
            where id = ${id}`
        },
        (effect) => sql.withTransaction(effect),
      )

      return Accounts.of({ signUp, ensureAdmin, mayBeErased, erase })
    }),
  )
}
