/**
 * The secret that session tokens are signed with: from the settings, or made once and kept in the data folder, readable
 * by its owner alone. Must stay true: it is never printed, and two processes that start at once end up with one secret.
 */
import { Context, Effect, FileSystem, Layer, Option, Path, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { Configuration } from "../platform/Configuration.ts"
import { tokenSecretLengthMinBytes } from "./accountBounds.ts"

const fileName = "token-secret"

/** The file is written aside and then linked into place, since a link either makes the whole file or fails. */
const readOrMake = Effect.fnUntraced(function* (dataFolder: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(dataFolder, fileName)
  if (!(yield* files.exists(file))) {
    yield* files.makeDirectory(dataFolder, { recursive: true })
    const draft = `${file}.${SecureRandom.uuidV7Unsafe()}`
    const secret = Buffer.from(SecureRandom.randomBytesUnsafe(tokenSecretLengthMinBytes)).toString("base64url")
    yield* files.writeFileString(draft, secret, { flag: "wx", mode: 0o600 })
    yield* files.link(draft, file).pipe(Effect.catchReason("PlatformError", "AlreadyExists", () => Effect.void))
    yield* files.remove(draft)
  }
  return yield* files.readFileString(file)
})

export class TokenSecret extends Context.Service<TokenSecret, Redacted.Redacted<Uint8Array>>()(
  "hedonify/accounts/TokenSecret",
) {
  static readonly layer = Layer.effect(
    TokenSecret,
    Effect.gen(function* () {
      const configuration = yield* Configuration
      const text = Option.isSome(configuration.tokenSecret)
        ? Redacted.value(configuration.tokenSecret.value)
        : yield* readOrMake(configuration.dataDir)
      return Redacted.make(new TextEncoder().encode(text), { label: "token secret" })
    }),
  )

  static readonly layerOf = (secret: Redacted.Redacted) =>
    Layer.succeed(TokenSecret, Redacted.make(new TextEncoder().encode(Redacted.value(secret))))
}
