/**
 * The simulator's own bounds and paces.
 */

/** Charges that it remembers; of those that are over, the oldest are forgotten first. */
export const simulatedChargesMax = 100_000
/** What "a moment later" is, and "long after its order's time": the longest default reservation and its extension. */
export const soonMillis = 2_000
export const lateMillis = 20 * 60_000
/** How long an answer that never comes keeps its connection. */
export const silenceMillis = 30_000
/** A request's body. */
export const requestMaxBytes = 16 * 1024
/** Callbacks under way at once, and such as wait for it; past that they are lost, as a provider's may be. */
export const callbacksAtOnceMax = 16
export const callbacksWaitingMax = 10_000
/** Attempts to tell one callback, the first pause between two of them, and how long one may take. */
export const callbackAttemptsMax = 6
export const callbackPauseMillis = 500
export const callbackMaxMillis = 5_000
/** Charges that one page of the ledger shows. */
export const ledgerPageMax = 1_000
