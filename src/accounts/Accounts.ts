/**
 * Accounts: sign-up, and what an account is allowed to be. Must stay true: an e-mail address has one account however
 * it is written, and no hash ever leaves this folder.
 */
import { Context, Effect, Layer, type Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient, type SqlError } from "effect/sql"
import { AccountId } from "../domain/ids.ts"
import type { Busy } from "../domain/refusals.ts"
import { emailTaken, type EmailTaken } from "./accountRefusals.ts"
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

      return Accounts.of({ signUp, ensureAdmin })
    }),
  )
}
