/**
 * One fault from beginning to end: a crowd buys while the fault happens, then everything that was said is held against
 * everything that is there. Must stay true: no fault passes that any of these checks would fail, so each test is only
 * the fault itself.
 */
import { NodeServices } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { inject } from "vitest"
import { contradictions as contradictionsOf } from "../linearizability/contradictions.ts"
import { isViolated, verify } from "../../src/verification/verify.ts"
import { clientHistoryOf } from "./clientHistory.ts"
import { type Crowd, type CrowdOptions, gather, isPlaced } from "./crowd.ts"
import { footprint, untilBackAt } from "./footprint.ts"
import { secretsSaid } from "./leaks.ts"
import { openMarket } from "./market.ts"
import { reconcile } from "./reconciliation.ts"
import { Stage, untilReady } from "./stage.ts"
import { addRow } from "./summary.ts"

/** Orders before the fault and after it: enough that every buyer had several. */
const ordersAround = 120

/** What it came to. The crowd is buying when the fault begins, and still buying when it is over. */
export const trial = Effect.fnUntraced(function* <E, R>(
  fault: string,
  act: (crowd: Crowd) => Effect.Effect<unknown, E, R>,
  options: CrowdOptions = {},
) {
  const { sql } = yield* Stage
  const market = yield* openMarket
  yield* untilReady
  const before = yield* footprint
  const { contradictions, crowd, readings, row } = yield* Effect.scoped(
    Effect.gen(function* () {
      const gathered = yield* gather(market, options)
      yield* gathered.during(
        Effect.gen(function* () {
          yield* gathered.after(ordersAround, isPlaced)
          yield* act(gathered)
          yield* untilReady
          yield* gathered.after(ordersAround, isPlaced)
        }),
      )
      const reconciled = yield* reconcile(fault, gathered)
      addRow(inject("faultRun").folder, reconciled.row)
      return { ...reconciled, crowd: gathered }
    }),
  )
  assert.deepStrictEqual(contradictions.slice(0, 20), [])
  // Nobody stocks these products again, so one counter a product, which only goes down, must explain every answer.
  const firstStock = new Map(market.products.map(({ productId, units }) => [productId, units]))
  assert.deepStrictEqual(contradictionsOf(clientHistoryOf(crowd.attempts, readings), firstStock), [])
  assert.deepStrictEqual(crowd.leaks.slice(0, 5), [])
  assert.deepStrictEqual(yield* secretsSaid, [])
  const rules = yield* sql(verify().pipe(Effect.provide(NodeServices.layer)))
  assert.deepStrictEqual(rules.filter(isViolated), [])
  yield* untilBackAt(before)
  return row
})
