/**
 * Paying as the settings want it: with the provider of `HEDONIFY_PAYMENT_URL`, or with one that is simulated in this
 * process, over HTTP all the same. The simulator outlives what asks it, so that at the end nobody is left waiting.
 */
import { Effect, Layer, Option, Path } from "effect"
import { OrderReads } from "../orders/OrderReads.ts"
import { Configuration } from "../platform/Configuration.ts"
import * as SecureRandom from "../platform/secureRandom.ts"
import { CallbackAddress } from "./CallbackAddress.ts"
import { PaymentGateway } from "./PaymentGateway.ts"
import { PaymentReads } from "./paymentReads.ts"
import { Payments } from "./Payments.ts"
import { PaymentSecret } from "./PaymentSecret.ts"
import { reconciler, type ReconcilerOptions } from "./reconciler.ts"
import { Settling } from "./Settling.ts"
import type { Paces } from "./simulator/Provider.ts"
import { PaymentSimulator } from "./simulator/server.ts"
import { simulator } from "./simulator/simulators.ts"

const folderName = "payment-provider"

/** What tests have otherwise. */
export interface PaymentOptions {
  readonly reconciler?: ReconcilerOptions
  readonly paces?: Paces
  /** Keeps the simulator's ledger in memory. */
  readonly forgets?: true
}

/** The provider in this process, which is told where to call back as soon as that is known. */
const simulated = ({ forgets, paces }: PaymentOptions) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { dataDir, production } = yield* Configuration
      const path = yield* Path.Path
      const address = yield* CallbackAddress
      if (production) {
        yield* Effect.logWarning("Payments are simulated and no money moves: set HEDONIFY_PAYMENT_URL to take any")
      }
      return simulator({
        port: 0,
        folder: forgets === true ? null : path.join(dataDir, folderName),
        secret: yield* PaymentSecret,
        callbackUrl: Effect.asSome(address.url),
        ...(paces === undefined ? {} : { paces }),
      })
    }),
  )

const simulatedGateway = Layer.unwrap(Effect.map(PaymentSimulator, ({ url }) => PaymentGateway.layer(url)))

/** All but the provider. */
const paying = (options: PaymentOptions) =>
  Layer.unwrap(
    Effect.map(Configuration, (settings) =>
      Layer.mergeAll(Payments.layer(settings), reconciler(options.reconciler)).pipe(
        Layer.provide(Settling.layer(settings)),
        Layer.provide([PaymentReads.layer, OrderReads.layer, SecureRandom.layer]),
      ),
    ),
  )

const addresses = Layer.provideMerge(CallbackAddress.layer, PaymentSecret.layer)

/** With the simulator of this process, whatever the settings say. */
export const simulatedPayments = (options: PaymentOptions) =>
  paying(options).pipe(
    Layer.provideMerge(simulatedGateway),
    Layer.provideMerge(simulated(options)),
    Layer.provideMerge(addresses),
  )

const provided = (url: string) =>
  paying({}).pipe(Layer.provideMerge(PaymentGateway.layer(url.replace(/\/+$/, ""))), Layer.provideMerge(addresses))

export const payments = Layer.unwrap(
  Effect.map(Configuration, ({ paymentUrl }) =>
    Option.match(paymentUrl, {
      onNone: () => simulatedPayments({}),
      onSome: (url) => provided(url),
    }),
  ),
)
