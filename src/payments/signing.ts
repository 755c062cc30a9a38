/**
 * Signatures of the provider's callbacks, after the Standard Webhooks specification: what is signed is the message's id,
 * its time and its body, so that what is forged, changed or old is refused.
 */
import { DateTime, Redacted } from "effect"
import { Webhook as Signer } from "standardwebhooks"

type SignatureHeaders = Readonly<Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string>>

export const signedHeaders = (
  secret: Redacted.Redacted,
  id: string,
  atMillis: number,
  body: string,
): SignatureHeaders => ({
  "webhook-id": id,
  "webhook-timestamp": String(Math.floor(atMillis / 1_000)),
  "webhook-signature": new Signer(Redacted.value(secret)).sign(
    id,
    DateTime.toDateUtc(DateTime.makeUnsafe(atMillis)),
    body,
  ),
})

/** Whether the holder of the secret sent this body within the last minutes. */
export const isSigned = (
  secret: Redacted.Redacted,
  headers: Readonly<Record<string, string | undefined>>,
  body: string,
): boolean => {
  try {
    const named = (name: keyof SignatureHeaders) => [name, headers[name] ?? ""] as const
    const given = Object.fromEntries([named("webhook-id"), named("webhook-timestamp"), named("webhook-signature")])
    new Signer(Redacted.value(secret)).verify(body, given, { jsonParse: false })
    return true
  } catch {
    return false
  }
}
