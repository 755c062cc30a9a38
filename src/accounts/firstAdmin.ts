/**
 * Makes the first admin from the settings, once. An address that has an account already is left as it is, even if it is
 * no admin: whoever signed up with it first must not be handed the keys by a restart.
 */
import { Effect, Layer, Option } from "effect"
import { Configuration } from "../platform/Configuration.ts"
import { Accounts } from "./Accounts.ts"

export const firstAdminLayer = Layer.effectDiscard(
  Effect.gen(function* () {
    const { adminEmail, adminPassword } = yield* Configuration
    if (Option.isNone(adminEmail) || Option.isNone(adminPassword)) return
    const accounts = yield* Accounts
    const made = yield* accounts.ensureAdmin({
      email: adminEmail.value,
      name: "Administrator",
      password: adminPassword.value,
    })
    if (made) yield* Effect.logInfo("The first admin was made")
  }),
)
