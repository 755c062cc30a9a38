/**
 * The bounds of webhooks: how many there are, what waits for a receiver, how long one is waited for and how often it is
 * tried. The relations between them are asserted at the end.
 */

export const webhooksOfMerchantMax = 10
export const webhookUrlLengthMax = 2_000
export const webhookDescriptionLengthMax = 500
export const webhookTypesMax = 50

/** A secret of the specification has 24 to 64 bytes. */
export const secretBytes = 32
/** How long a secret that was replaced still signs beside its successor. */
export const previousSecretMillis = 24 * 3_600_000

/** What waits for one receiver; past it the log itself is the queue, and is read on once there is room. */
export const pendingOfWebhookMax = 1_000
/** Events of one reading of the log. */
export const fanOutPageMax = 500
/** Deliveries that one statement writes, with their bodies: some hundreds of kilobytes, a few megabytes at worst. */
export const fanOutRowsMax = 500
/** Webhooks that are looked at together. */
export const fanOutWebhooksMax = 500
/** How often the log is looked at; a look that finds no new batch is one query of some rows. */
export const fanOutIntervalMillis = 250
/** Also where no batch is new, a webhook that was turned on again has something to catch up on. */
export const fanOutAnywayMillis = 5_000
/** Between two readings while there is more to read. */
export const fanOutPauseMillis = 20
/** Between two looks whether a receiver can be tried again. */
export const relayIntervalMillis = 250

/** Webhooks that one process delivers to at once, and deliveries to each of them. */
export const webhooksAtOnceMax = 32
export const deliveriesAtOnceMax = 8
/** Deliveries that are taken up in one look. */
export const deliveriesTakenMax = 64
/** How long one webhook is served before others come first. */
export const turnMaxMillis = 5_000
/** How long a relay has a webhook to itself: a crash of it keeps the webhook waiting so long. */
export const leaseMillis = 20_000
/** What writing down the last attempt of a turn may take before somebody else makes it again. */
const recordMaxMillis = 4_000

/** From the look-up of the name to the head of the answer. */
export const attemptMaxMillis = 10_000
/** What a name server may take, tried twice. */
export const nameLookupMaxMillis = 2_000
/** What is read of an answer's body, and how long; what counts is its status. */
export const answerBodyMaxBytes = 16 * 1024
export const answerBodyMaxMillis = 1_000
export const answerHeadMaxBytes = 16 * 1024

/** Pauses between attempts; after the last one a delivery is dead. With the attempts some 18 hours. */
export const retryPausesMillis: ReadonlyArray<number> = [
  5_000,
  30_000,
  2 * 60_000,
  10 * 60_000,
  30 * 60_000,
  2 * 3_600_000,
  5 * 3_600_000,
  10 * 3_600_000,
]
/** So much longer or shorter a pause may be, so that what failed together does not come back together. */
export const retryJitter = 0.2
/** How long a receiver can ask to be left alone (Retry-After): as long as the longest pause. */
export const retryAfterMaxMillis = Math.max(...retryPausesMillis)
/** A webhook that accepted nothing for so long is turned off. */
export const failingMaxMillis = 5 * 24 * 3_600_000

/** Deliveries that succeeded are kept so long to be looked at; dead ones as long as events. */
export const succeededKeptMillis = 24 * 3_600_000
export const deliveriesPrunedMax = 1_000

const holds = (relation: boolean, sentence: string): void => {
  if (!relation) throw new Error(`webhook bounds: ${sentence}`)
}
holds(fanOutPageMax <= fanOutRowsMax, "what one webhook is told of a page is written at once")
holds(secretBytes >= 24 && secretBytes <= 64, "a secret has the length of the specification")
holds(2 * nameLookupMaxMillis < attemptMaxMillis, "a slow name server leaves time for the receiver")
holds(
  turnMaxMillis + attemptMaxMillis + answerBodyMaxMillis + recordMaxMillis <= leaseMillis,
  "a lease outlives the last attempt of a turn and its record",
)
holds(
  retryPausesMillis.length * retryAfterMaxMillis * (1 + retryJitter) < failingMaxMillis,
  "a delivery is dead before its webhook is turned off",
)
