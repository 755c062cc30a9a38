/**
 * The secret of a channel: how it looks and how it is found. Must stay true: it is shown once and kept as its hash.
 */
import { SecureRandom } from "effect/crypto"
import { createHash } from "node:crypto"
import { apiKeySecretBytes } from "../accounts/accountBounds.ts"

/** Tells a key from a session's token, and a scanner of leaked secrets whose it is. */
const prefix = "hfy_"

export const looksLikeApiKey = (token: string): boolean => token.startsWith(prefix)

export const newSecret = (): string =>
  prefix + Buffer.from(SecureRandom.randomBytesUnsafe(apiKeySecretBytes)).toString("base64url")

export const secretHash = (secret: string): Buffer => createHash("sha256").update(secret).digest()
