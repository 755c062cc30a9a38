/**
 * The payment simulator on a port of its own and the gateway in front of it, without the service: what it is told is
 * heard here, as a service would.
 */
import { NodeServices } from "@effect/platform-node"
import { Context, Effect, Layer, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { createServer } from "node:http"
import { PaymentId } from "../../src/domain/ids.ts"
import type { ChargeEvent } from "../../src/payments/charge.ts"
import { PaymentGateway } from "../../src/payments/PaymentGateway.ts"
import { isSigned } from "../../src/payments/signing.ts"
import { PaymentSimulator } from "../../src/payments/simulator/server.ts"
import { simulator, type SimulatorOptions } from "../../src/payments/simulator/simulators.ts"

export const secret = Redacted.make("whsec_b25seS10aGVzZS10ZXN0cy1rbm93LXRoaXMtc2VjcmV0")
const amount = { amount: 1_999, currency: "EUR" }

export const newPayment = () => ({ paymentId: PaymentId.make(SecureRandom.uuidV7Unsafe()), amount })

export interface Told {
  readonly id: string
  readonly event: ChargeEvent
  readonly isSigned: boolean
}

/** Whom the simulator tells; it answers as it is told to, and hears everything. */
export class Listener extends Context.Service<
  Listener,
  { readonly url: string; readonly told: Array<Told>; status: number }
>()("hedonify/test/payments/Listener") {
  static readonly layer = Layer.effect(
    Listener,
    Effect.gen(function* () {
      const listener = { url: "", told: new Array<Told>(), status: 204 }
      const server = createServer((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => {
          const body = Buffer.concat(chunks).toString("utf8")
          const headers = Object.fromEntries(
            Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
          )
          listener.told.push({
            id: headers["webhook-id"] ?? "",
            event: JSON.parse(body) as ChargeEvent,
            isSigned: isSigned(secret, headers, body),
          })
          response.writeHead(listener.status).end()
        })
      })
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () =>
          Effect.callback<void>((resume) => {
            server.close(() => resume(Effect.void))
            server.closeAllConnections()
          }),
      )
      const address = server.address()
      listener.url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/callback`
      return listener
    }),
  )
}

const quick = { soonMillis: 50, lateMillis: 600_000, silenceMillis: 5_000 }

const simulatorTelling = (options: Partial<SimulatorOptions>) =>
  Layer.unwrap(
    Effect.map(Listener, ({ url }) =>
      simulator({
        port: 0,
        folder: null,
        secret,
        callbackUrl: Effect.succeedSome(url),
        paces: quick,
        ...options,
      }),
    ),
  )

/** The gateway in front of a simulator that tells the listener. */
export const provider = (options: Partial<SimulatorOptions> = {}) =>
  Layer.unwrap(Effect.map(PaymentSimulator, ({ url }) => PaymentGateway.layer(url))).pipe(
    Layer.provideMerge(simulatorTelling(options)),
    Layer.provideMerge(Listener.layer),
    Layer.provide(NodeServices.layer),
  )
