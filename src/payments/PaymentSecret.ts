/**
 * The secret that the payment provider signs its callbacks with: from the settings, or made once and kept in the data
 * folder, where the simulator finds it, too.
 */
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { Configuration } from "../platform/Configuration.ts"
import { keptSecret } from "../platform/keptSecret.ts"
import { paymentSecretBytes } from "./paymentBounds.ts"

const fileName = "payment-secret"

const makeSecret = () => `whsec_${Buffer.from(SecureRandom.randomBytesUnsafe(paymentSecretBytes)).toString("base64")}`

export class PaymentSecret extends Context.Service<PaymentSecret, Redacted.Redacted>()(
  "hedonify/payments/PaymentSecret",
) {
  static readonly layer = Layer.effect(
    PaymentSecret,
    Effect.gen(function* () {
      const { dataDir, paymentSecret } = yield* Configuration
      if (Option.isSome(paymentSecret)) return paymentSecret.value
      return Redacted.make(yield* keptSecret(dataDir, fileName, makeSecret), { label: "payment secret" })
    }),
  )
}
