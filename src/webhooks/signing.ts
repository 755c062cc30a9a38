/**
 * Secrets and signatures after the Standard Webhooks specification: what is signed is the id, the time of the attempt
 * and the body, so that a receiver can refuse what is forged, changed or old.
 */
import { DateTime } from "effect"
import { SecureRandom } from "effect/crypto"
import { Webhook as Signer } from "standardwebhooks"
import { secretBytes } from "./webhookBounds.ts"

export const makeSecret = (): string =>
  `whsec_${Buffer.from(SecureRandom.randomBytesUnsafe(secretBytes)).toString("base64")}`

/** The headers that go with a body; one signature for each secret, any of which a receiver may know. */
export const signedHeaders = (
  secrets: ReadonlyArray<string>,
  id: string,
  atMillis: number,
  body: string,
): Readonly<Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string>> => {
  const at = DateTime.toDateUtc(DateTime.makeUnsafe(atMillis))
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(atMillis / 1_000)),
    "webhook-signature": secrets.map((secret) => new Signer(secret).sign(id, at, body)).join(" "),
  }
}
