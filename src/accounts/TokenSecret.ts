/**
 * The secret that session tokens are signed with: from the settings, or made once and kept in the data folder.
 */
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { Configuration } from "../platform/Configuration.ts"
import { keptSecret } from "../platform/keptSecret.ts"
import { tokenSecretLengthMinBytes } from "./accountBounds.ts"

const fileName = "token-secret"

const makeSecret = () => Buffer.from(SecureRandom.randomBytesUnsafe(tokenSecretLengthMinBytes)).toString("base64url")

export class TokenSecret extends Context.Service<TokenSecret, Redacted.Redacted<Uint8Array>>()(
  "hedonify/accounts/TokenSecret",
) {
  static readonly layer = Layer.effect(
    TokenSecret,
    Effect.gen(function* () {
      const configuration = yield* Configuration
      const text = Option.isSome(configuration.tokenSecret)
        ? Redacted.value(configuration.tokenSecret.value)
        : yield* keptSecret(configuration.dataDir, fileName, makeSecret)
      return Redacted.make(new TextEncoder().encode(text), { label: "token secret" })
    }),
  )

  static readonly layerOf = (secret: Redacted.Redacted) =>
    Layer.succeed(TokenSecret, Redacted.make(new TextEncoder().encode(Redacted.value(secret))))
}
