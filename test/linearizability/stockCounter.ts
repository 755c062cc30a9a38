/**
 * Decides whether what clients saw of one product could have come from one correct stock counter: whether every
 * operation can be given one instant between its call and its answer so that the count never goes below zero and every
 * reading names the count of its instant. It must stay exact in both directions: what it rejects no counter can have
 * answered, and what it accepts comes with an order that explains it; only past its bound does it say `undecided`.
 *
 * A history is linearizable if it is for each object alone (Herlihy and Wing, "Linearizability: a correctness condition
 * for concurrent objects", 1990), so each product is searched alone ("P-compositionality": Horn and Kroening, "Faster
 * linearizability checking via P-compositionality", 2015). The search is Wing and Gong's ("Testing and verifying
 * concurrent objects", 1993) with Lowe's two additions ("Testing for linearizability", 2017): configurations that failed
 * are remembered, and operations take place just in time, which means only when one of them must be answered. What
 * makes a counter fast is argued where it is used: `configuration.ts` says what a configuration is, `search.ts` which
 * continuations are enough, `relaxations.ts` what needs no search at all.
 */
import { prepare } from "./preparation.ts"
import { impossibleAlone } from "./relaxations.ts"
import { search } from "./search.ts"
import type { StockHistory, Verdict } from "./stockHistory.ts"

/** How much one search may do before it gives up: 1 to 6 seconds were measured for it, on a core shared with others. */
export const visitedStatesMaxDefault = 1_000_000

export const checkStock = (history: StockHistory, visitedStatesMax = visitedStatesMaxDefault): Verdict => {
  const prepared = prepare(history)
  const impossible = impossibleAlone(prepared)
  if (impossible !== null) return { isLinearizable: false, ...impossible, visitedStates: 0 }
  return search(prepared, visitedStatesMax)
}
