/**
 * The bounds of paying: how long anybody waits for the payment provider, how often it is asked, and how much of it may
 * go on at once. The relations between them stand at the end of the file.
 */
import { paymentExtensionMillis } from "../domain/bounds.ts"

/** What one attempt at the provider may take; a second one still fits an order's deadline. */
export const attemptMaxMillis = 2_000
/** Attempts of one call, the first with the others. */
export const attemptsMax = 4
/** What the second attempt waits for; each after it waits twice as long. */
export const attemptPauseMillis = 100
/** What all attempts of a call may take. */
export const callMaxMillis = 8_000
/** Calls in a row that fail before the provider counts as away; then nobody waits for it. */
export const callFailuresMax = 5
/** How long it counts as away before one call tries it again: at first, and at most. */
export const awayMillis = 1_000
export const awayMaxMillis = 30_000
/** Sockets to the provider. */
export const providerConnectionsMax = 64
/** An answer of the provider: ours are a few hundred bytes. */
export const providerAnswerMaxBytes = 64 * 1024

/** Charges under way in one process; past it a payment is told to come back before anything has happened. */
export const chargesAtOnceMax = 1_000
/** Payments of one order, declined ones with the others: who guesses at cards has to place another order. */
export const paymentsOfOrderMax = 100

/** How often the reconciler looks for payments that nobody finished. */
export const reconcileIntervalMillis = 2_000
/**
 * How old a payment under way has to be before somebody else than its own request cares for it: that has given up by
 * then, or is writing down what it knows, and where the two meet, the payment's key makes them one.
 */
export const reconcileQuietMillis = callMaxMillis + 2_000
/** Payments of one page of a look, and pages of one look; the next goes on where it ended. */
export const reconcilePageSize = 100
export const reconcilePagesMax = 10
/** Payments that are reconciled at once: few enough that orders and new payments do not notice. */
export const reconcileAtOnceMax = 8
/** What a payment is left alone for after a look that did not end it: at first, and at most. */
export const reconcilePauseMillis = 2_000
export const reconcilePauseMaxMillis = 60_000
/** Payments whose pause is remembered; those that were forgotten are looked at sooner. */
export const reconcilePausesMax = 10_000

/** The bytes of a secret that is made here. */
export const paymentSecretBytes = 32

const holds = (relation: boolean, sentence: string): void => {
  if (!relation) throw new Error(`payment bounds: ${sentence}`)
}
holds(
  reconcileQuietMillis + reconcilePauseMillis + callMaxMillis < paymentExtensionMillis,
  "a charge that was cut off is finished before its order's time is over",
)
