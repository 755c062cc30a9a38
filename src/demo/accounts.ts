/**
 * Accounts for a crowd, each new and signed in. A sign-up and a sign-in cost one password hash each, one at a time on
 * two processors, so that whoever needs thousands of buyers lets several share an account, each with keys of its own.
 */
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { whileShowing } from "./progress.ts"
import { ShopClient } from "./ShopClient.ts"

/** Sign-ups at once; fewer than the service lets wait for a password hash. */
export const signUpsAtOnce = 16

/** The tokens of so many new accounts. */
export const openAccounts = Effect.fnUntraced(function* (count: number) {
  const client = yield* ShopClient
  const run = SecureRandom.uuidV4Unsafe()
  let opened = 0
  const open = Effect.fnUntraced(function* (index: number) {
    const email = `buyer-${run}-${index}@hedonify.example`
    yield* client.signUp(email, run)
    const token = yield* client.signIn(email, run)
    opened += 1
    return token
  })
  const indexes = Array.from({ length: count }, (_, index) => index)
  return yield* whileShowing(
    () => `  ${opened} of ${count} accounts opened`,
    Effect.forEach(indexes, open, { concurrency: signUpsAtOnce }),
  )
})
