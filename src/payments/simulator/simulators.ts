/**
 * The simulator put together: with what it remembers in a folder, or in memory alone.
 */
import { type Effect, Layer, type Option, type Redacted } from "effect"
import { Callbacks } from "./Callbacks.ts"
import { Ledger } from "./Ledger.ts"
import { type Paces, Provider } from "./Provider.ts"
import { PaymentSimulator } from "./server.ts"

export interface SimulatorOptions {
  /** 0 picks one. */
  readonly port: number
  /** Where its ledger is; null keeps it in memory, and a provider that forgets is none. */
  readonly folder: string | null
  readonly secret: Redacted.Redacted
  /** The whole URL to tell; none tells nobody. */
  readonly callbackUrl: Effect.Effect<Option.Option<string>>
  readonly paces?: Paces
}

export const simulator = ({ callbackUrl, folder, paces, port, secret }: SimulatorOptions) =>
  PaymentSimulator.layer(port).pipe(
    Layer.provide(Provider.layer(paces)),
    Layer.provide(folder === null ? Ledger.layerMemory : Ledger.layerFile(folder)),
    Layer.provide(Callbacks.layer(callbackUrl, secret)),
  )
