/**
 * Where the service hears the payment provider's callbacks: known once it listens. A provider in the same process waits
 * for it here; one elsewhere was told by its own settings.
 */
import { Context, Deferred, type Effect, Exit, Layer } from "effect"

export const callbackPath = "/v1/payments/callback"

export class CallbackAddress extends Context.Service<
  CallbackAddress,
  {
    /** The whole URL of the callback. */
    readonly url: Effect.Effect<string>
    /** The service listens at this address. */
    readonly listensAt: (url: string) => void
  }
>()("hedonify/payments/CallbackAddress") {
  static readonly layer = Layer.sync(CallbackAddress, () => {
    const known = Deferred.makeUnsafe<string>()
    return CallbackAddress.of({
      url: Deferred.await(known),
      listensAt: (url) => {
        // Whoever listens on every address of this machine is heard on its own.
        const address = new URL(callbackPath, url)
        if (address.hostname === "0.0.0.0") address.hostname = "127.0.0.1"
        if (address.hostname === "[::]") address.hostname = "[::1]"
        Deferred.doneUnsafe(known, Exit.succeed(address.href))
      },
    })
  })
}
