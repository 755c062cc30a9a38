/**
 * Telling the service by itself what became of a charge: signed, again and again for a while until it is accepted, and
 * then no more. A provider's callbacks may be lost, so nothing may depend on them; nothing here is remembered.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { Clock, Context, Effect, Layer, type Option, type Redacted, Schedule, Semaphore } from "effect"
import { SecureRandom } from "effect/crypto"
import { HttpClient, HttpClientRequest } from "effect/http"
import type { ChargeEvent } from "../charge.ts"
import { signedHeaders } from "../signing.ts"
import * as bounds from "./simulatorBounds.ts"

export class Callbacks extends Context.Service<
  Callbacks,
  {
    /** Tells of these one after the other, each under an id of its own and so many times at once. */
    readonly tell: (events: ReadonlyArray<ChargeEvent>, copies: number) => Effect.Effect<void>
  }
>()("hedonify/payments/simulator/Callbacks") {
  /** Tells nobody. */
  static readonly layerOff = Layer.succeed(Callbacks, Callbacks.of({ tell: () => Effect.void }))

  /** The whole URL, which may be known later; never, where nobody is there to be told. */
  static readonly layer = (url: Effect.Effect<Option.Option<string>>, secret: Redacted.Redacted) =>
    Layer.effect(Callbacks, make(url, secret)).pipe(Layer.provide(NodeHttpClient.layerUndici))
}

const make = Effect.fnUntraced(function* (url: Effect.Effect<Option.Option<string>>, secret: Redacted.Redacted) {
  const client = yield* HttpClient.HttpClient
  const scope = yield* Effect.scope
  const places = yield* Semaphore.make(bounds.callbacksAtOnceMax)
  let waiting = 0

  const attempt = Effect.fnUntraced(function* (to: string, id: string, body: string) {
    const headers = signedHeaders(secret, id, yield* Clock.currentTimeMillis, body)
    const request = HttpClientRequest.post(to).pipe(
      HttpClientRequest.setHeaders(headers),
      HttpClientRequest.bodyText(body, "application/json"),
    )
    const { status } = yield* client.execute(request)
    if (status >= 300) return yield* Effect.fail(`answered with ${status}`)
  })

  const send = (to: string, id: string, body: string) =>
    attempt(to, id, body).pipe(
      Effect.timeout(bounds.callbackMaxMillis),
      places.withPermit,
      Effect.retry({
        schedule: Schedule.exponential(bounds.callbackPauseMillis).pipe(Schedule.jittered),
        times: bounds.callbackAttemptsMax - 1,
      }),
      Effect.catchCause((cause) => Effect.logDebug("A callback was not accepted", cause)),
    )

  const tell = (events: ReadonlyArray<ChargeEvent>, copies: number) =>
    Effect.gen(function* () {
      const to = yield* url
      if (to._tag === "None") return
      for (const event of events) {
        const id = `msg_${SecureRandom.uuidV7Unsafe()}`
        const body = JSON.stringify(event)
        yield* Effect.forEach(Array.from({ length: copies }), () => send(to.value, id, body), {
          concurrency: "unbounded",
          discard: true,
        }).pipe(Effect.annotateLogs({ paymentId: event.data.paymentId }))
      }
    }).pipe(Effect.ensuring(Effect.sync(() => (waiting -= 1))))

  return Callbacks.of({
    tell: (events, copies) =>
      Effect.suspend(() => {
        if (waiting >= bounds.callbacksWaitingMax) return Effect.logWarning("A callback is lost: too many wait")
        waiting += 1
        return Effect.asVoid(Effect.forkIn(tell(events, copies), scope))
      }),
  })
})
