/**
 * What the simulator does not forget: an append-only file with a line for each change of a charge, read at the start.
 * Must stay true: nobody is answered before what the answer says is on the disk, so that `kill -9` makes no charge
 * unmade; and what was cut off while it was written was never answered.
 *
 * A line is the whole charge as it then was, so the last one of each counts, and a start writes the file anew with one
 * line a charge: that bounds it. Lines that come while others are being written go to the disk together.
 */
import { Context, Effect, FileSystem, Layer, Path, Result, Schema, Semaphore } from "effect"
import { type CannotStart, cannotStart } from "../../platform/CannotStart.ts"
import { ChargeStatus } from "../charge.ts"
import { simulatedChargesMax } from "./simulatorBounds.ts"

export const SimulatedCharge = Schema.Struct({
  paymentId: Schema.String,
  /** Under which key it was first asked for; null where it was ended before anybody asked for it. */
  key: Schema.NullOr(Schema.String),
  amount: Schema.Int,
  currency: Schema.String,
  method: Schema.NullOr(Schema.String),
  status: ChargeStatus,
  declineCode: Schema.NullOr(Schema.String),
  /** How often the money was taken and given back: once each at most, unless a caller asked under several keys. */
  charges: Schema.Int,
  refunds: Schema.Int,
  settlesAtMillis: Schema.NullOr(Schema.Finite),
})
export type SimulatedCharge = typeof SimulatedCharge.Type

export class Ledger extends Context.Service<
  Ledger,
  {
    readonly charges: ReadonlyMap<string, SimulatedCharge>
    /** Remembers a charge as it is now; `kept` says when it is on the disk. */
    readonly put: (charge: SimulatedCharge) => void
    /** Everything that was put before is on the disk. */
    readonly kept: Effect.Effect<void>
  }
>()("hedonify/payments/simulator/Ledger") {
  /** Nothing is on any disk: for what need not outlive this process. */
  static readonly layerMemory = Layer.sync(Ledger, () => {
    const charges = new Map<string, SimulatedCharge>()
    return Ledger.of({ charges, put: (charge) => remember(charges, charge), kept: Effect.void })
  })

  static readonly layerFile = (folder: string) => Layer.effect(Ledger, make(folder))
}

const fileName = "charges.ndjson"

const Line = Schema.fromJsonString(SimulatedCharge)
const decodeLine = Schema.decodeUnknownResult(Line)
const lineOf = (charge: SimulatedCharge): string => `${JSON.stringify(charge)}\n`

/** What changed longest ago stands first. */
const remember = (charges: Map<string, SimulatedCharge>, charge: SimulatedCharge): void => {
  charges.delete(charge.paymentId)
  charges.set(charge.paymentId, charge)
  if (charges.size <= simulatedChargesMax) return
  for (const [paymentId, { status }] of charges) {
    if (status !== "processing") return void charges.delete(paymentId)
  }
}

/** The last line may have been cut off; any other that cannot be read is damage. */
const chargesIn = Effect.fnUntraced(function* (
  file: string,
  text: string,
): Effect.fn.Return<Map<string, SimulatedCharge>, CannotStart> {
  const charges = new Map<string, SimulatedCharge>()
  for (const line of text.split("\n").slice(0, -1)) {
    const charge = decodeLine(line)
    if (Result.isFailure(charge)) return yield* cannotStart(`The simulator's ledger ${file} is damaged: move it away.`)
    remember(charges, charge.success)
  }
  return charges
})

const make = Effect.fnUntraced(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(folder, fileName)
  const encoder = new TextEncoder()
  yield* files.makeDirectory(folder, { recursive: true })
  const text = (yield* files.exists(file)) ? yield* files.readFileString(file) : ""
  const charges = yield* chargesIn(file, text)
  const draft = `${file}.new`
  yield* Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* files.open(draft, { flag: "w", mode: 0o600 })
      yield* opened.writeAll(encoder.encode([...charges.values()].map(lineOf).join("")))
      yield* opened.sync
    }),
  )
  yield* files.rename(draft, file)

  const opened = yield* files.open(file, { flag: "a" })
  const writing = yield* Semaphore.make(1)
  let waiting = ""
  let puts = 0
  let putsKept = 0

  /** Whoever comes first writes for all who wait by then; what could not be written waits on. */
  const write = Effect.gen(function* () {
    const [lines, upTo] = [waiting, puts]
    yield* opened.writeAll(encoder.encode(lines))
    yield* opened.sync
    waiting = waiting.slice(lines.length)
    putsKept = upTo
  }).pipe(Effect.orDie, Effect.uninterruptible)

  return Ledger.of({
    charges,
    put: (charge) => {
      remember(charges, charge)
      waiting += lineOf(charge)
      puts += 1
    },
    kept: Effect.suspend(() => {
      const upTo = puts
      return putsKept >= upTo
        ? Effect.void
        : writing.withPermit(Effect.suspend(() => (putsKept >= upTo ? Effect.void : write)))
    }),
  })
})
