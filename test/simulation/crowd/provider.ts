/**
 * A payment provider as a run has it: it charges once for each payment however often it is asked, answers late or not at
 * all, and remembers everything. It stands outside the service, so that what it took can be held against the rows.
 *
 * Must stay true: what it was asked for it does, whatever becomes of the process that asked.
 */
import assert from "node:assert/strict"
import { Effect } from "effect"
import type { ChargeResult } from "../../../src/domain/commands.ts"
import type { PaymentId } from "../../../src/domain/ids.ts"
import type { MemoryTables } from "../../../src/inventory/memory/memoryTables.ts"
import type { SimulatedProcess } from "../machine/simulatedProcess.ts"

interface Charge {
  readonly amount: number
  readonly isTaken: boolean
  isRefunded: boolean
}

/** What becomes of one charge. */
export interface ChargeFate {
  readonly isDeclined: boolean
  /** How long until it is decided, and then until its answer is there; null where that gets lost. */
  readonly decidedAfterMillis: number
  readonly answeredAfterMillis: number | null
}

/** How long whoever asks waits for an answer. */
const silenceMaxMillis = 900

export class Provider {
  readonly #charges = new Map<PaymentId, Charge>()
  readonly #world: SimulatedProcess
  readonly #judged: (check: () => void) => void

  constructor(world: SimulatedProcess, judged: (check: () => void) => void) {
    this.#world = world
    this.#judged = judged
  }

  /** Charges once for each payment; null where no answer comes. */
  charge(
    caller: SimulatedProcess,
    paymentId: PaymentId,
    amount: number,
    { answeredAfterMillis, decidedAfterMillis, isDeclined }: ChargeFate,
  ): Effect.Effect<ChargeResult | null> {
    const deciding = Effect.andThen(Effect.sleep(decidedAfterMillis), () =>
      Effect.sync(() => {
        const known = this.#charges.get(paymentId)
        if (known === undefined) {
          this.#charges.set(paymentId, { amount, isTaken: !isDeclined, isRefunded: false })
        } else if (known.isTaken) {
          this.#judged(() => assert.strictEqual(amount, known.amount, "a payment was charged again, with another sum"))
        }
        return this.resultOf(paymentId)
      }),
    )
    return this.#asked(caller, deciding, answeredAfterMillis)
  }

  /** Keeps a charge from ever being made, or says what has become of it. */
  cancel(caller: SimulatedProcess, paymentId: PaymentId): Effect.Effect<ChargeResult | null> {
    const cancelling = Effect.sync(() => {
      if (!this.#charges.has(paymentId)) this.#charges.set(paymentId, { amount: 0, isTaken: false, isRefunded: false })
      return this.resultOf(paymentId)
    })
    return this.#asked(caller, cancelling, 0)
  }

  /** Gives the money of a payment back, once however often it is asked. */
  refund(caller: SimulatedProcess, paymentId: PaymentId): Effect.Effect<ChargeResult | null> {
    const refunding = Effect.sync((): ChargeResult => {
      const charge = this.#charges.get(paymentId)
      if (charge?.isTaken === true) charge.isRefunded = true
      else this.#judged(() => assert.fail("money is to go back that was never taken"))
      return { _tag: "Refunded" }
    })
    return this.#asked(caller, refunding, 0)
  }

  /** What became of a charge; null where it has not come to be. */
  resultOf(paymentId: PaymentId): ChargeResult | null {
    const charge = this.#charges.get(paymentId)
    if (charge === undefined) return null
    return charge.isTaken ? { _tag: "Succeeded" } : { _tag: "Declined", declineCode: "declined" }
  }

  /** When all is over: nobody's money is kept without an order, and no order is paid without money. */
  assertBooks({ payments }: MemoryTables): void {
    for (const { amount, method, paymentId, status } of payments.all()) {
      assert.ok(status !== "processing" && status !== "refunding", `payment ${paymentId} stays ${status}`)
      if (method === "external") continue
      const charge = this.#charges.get(paymentId)
      const isKept = charge?.isTaken === true && !charge.isRefunded
      assert.strictEqual(isKept, status === "succeeded", `payment ${paymentId} is ${status}, and its money is not`)
      if (isKept) assert.strictEqual(charge.amount, amount, `another sum was charged than payment ${paymentId} is of`)
    }
    const unknown = [...this.#charges.keys()].filter((paymentId) => payments.get(paymentId) === undefined)
    assert.deepStrictEqual(unknown, [], "charges that no payment began")
  }

  /** It is done here, and its answer finds who asked, or nobody. */
  #asked(
    caller: SimulatedProcess,
    question: Effect.Effect<ChargeResult | null>,
    answeredAfterMillis: number | null,
  ): Effect.Effect<ChargeResult | null> {
    const answered =
      answeredAfterMillis === null
        ? Effect.andThen(question, Effect.as(Effect.sleep(2 * silenceMaxMillis), null))
        : Effect.tap(question, () => Effect.sleep(answeredAfterMillis))
    const asking = this.#world.call(caller, Effect.uninterruptible(answered))
    return Effect.timeout(asking, silenceMaxMillis).pipe(Effect.orElseSucceed(() => null))
  }
}
