/**
 * The bounds of what a caller may ask for and of what the heart keeps and waits for, each with its unit in its name and
 * its reason beside it (promise 8); those of sign-in and of connections are `accountBounds.ts` and `httpBounds.ts`.
 * Settings may move the ones that the contract lists. The relations between them are asserted at the end of the file,
 * so a careless edit stops the start instead of a sale.
 */

/** Lines of one order after lines of the same product are merged. */
export const orderLinesMax = 100
/** Units of one line. */
export const lineQuantityMax = 10_000
/** Units a product can ever have been stocked with: PostgreSQL's `integer`. */
export const productUnitsMax = 2_147_483_647
/** Minor units of one price: a billion, in a currency with two decimals ten million. */
export const priceAmountMax = 1_000_000_000
/** Minor units of an order's total. Sums are exact below it, in JavaScript and in PostgreSQL's `bigint`. */
export const orderTotalMax = Number.MAX_SAFE_INTEGER
/** Orders of one batch request. */
export const batchOrdersMax = 500
/** Runs of a change to a cart that is nearly full while other tabs change it; each time one of them gets through. */
export const cartChangeAttemptsMax = 20

export const idempotencyKeyLengthMax = 255
export const nameLengthMax = 200
export const descriptionLengthMax = 5_000
export const customerRefLengthMax = 200
export const stockGroupLengthMax = 100
export const movementReasonLengthMax = 500
export const imageUrlLengthMax = 2_000
export const emailLengthMax = 254
export const passwordLengthMin = 8
export const passwordLengthMax = 200

export const bodySizeMaxBytes = 64 * 1024
export const batchBodySizeMaxBytes = 1024 * 1024
/** Nesting of a JSON body: ours needs five; a parser's stack is not for the caller to fill. */
export const jsonDepthMax = 32

export const pageSizeDefault = 20
export const pageSizeMax = 100

/** Shards of a database; fixed when it is created. */
export const shardsDefault = 16
/** One writer's connection each, within PostgreSQL's default of 100. */
export const shardsMax = 64

/** Commands waiting for one shard: at 1,000 a second the last of them is still decided within the order deadline. */
export const mailboxSizeDefault = 4_096
export const mailboxSizeMax = 1_000_000
/** Commands of one batch: beyond 512 a batch brings no throughput and only makes the next one wait. */
export const batchSizeMaxDefault = 512
export const batchSizeMaxMax = 4_096
/** What a batch waits for company. None: a batch is what arrived while the last commit was in flight. */
export const lingerDefaultMillis = 0
export const lingerMaxMillis = 1_000

/** How long an order may wait for its answer before its caller is told to try again. */
export const orderDeadlineDefaultMillis = 5_000
export const orderDeadlineMaxMillis = 15_000
/** What a hold outlives: the longest order deadline, twice, so that no live order loses its hold. */
export const holdTtlMillis = 30_000
/**
 * How often the sweeper looks for reservations and holds past their time, and for returns nobody applied: stock is back
 * two looks and a commit later at most, within 2 s.
 */
export const sweepIntervalMillis = 500
/** Reservations, holds or returns that one page of a sweep reads; twice as many make a pause that orders notice. */
export const sweepSizeMax = 250
/**
 * How many of them at once, and so what one batch ends at most: new orders stand behind no more. Of 100,000 reservations
 * that end in one instant, 500 at once kept new orders eight times as long as before at the 99th percentile, 100 at once
 * two to nine times, 50 two to four, 25 three at most; until all was back it took 36, 13, 14 and 14 seconds.
 */
export const sweptAtOnceMax = 25
/** Pages that one sweep goes on for before the next looks again. */
export const sweepPagesMax = 80

/** How long an offer to somebody on a waiting list may stand at most. */
export const offerTtlMaxMillis = 24 * 3_600_000
/** Offers that one command makes; who waits behind them comes with the next, still before anybody else. */
export const offersMax = 100
/**
 * Products that one batch offers, `offersMax` at a time. Without it the sweeper's page of products whose merchant may sell
 * again, with a hundred waiters each, was one statement of 50,000 offers: it ran into its time-out, and so did the next.
 */
export const offeredProductsMax = 10

/**
 * What an order's time lasts for at least from the moment its first payment begins: longer than a charge may take, its
 * retries and a callback that is late by half a minute.
 */
export const paymentExtensionMillis = 2 * 60_000

/** How long a commit may be silent before its outcome counts as unknown; a shard's reads are given up then, too. */
export const commitSilenceMaxMillis = 2_500
/** How long a statement that belongs to no single shard may take before it is given up. */
export const pooledSilenceMaxMillis = 2_500
/** Between two attempts to settle an unknown outcome while PostgreSQL cannot be reached. */
export const settlePauseMillis = 100
/** How long a takeover waits for the old writer's lock before it terminates the backend that holds it. */
export const takeoverLockMaxMillis = 2_000

/** Products one shard keeps in memory; those loaded longest ago leave first. */
export const shardProductsMax = 20_000
/** Counts of a customer's units of a limited product that one shard keeps in memory. */
export const shardCustomersMax = 50_000
/** Orders over several shards in flight at once in one process. */
export const coordinatedOrdersMax = 10_000
/** Product-to-shard pairs that the directory keeps; they never change once written. */
export const shardDirectoryMax = 100_000

/** What one request may wait for Redis in all; it is a help and never the truth, so the answer goes on without it. */
export const redisWaitMaxMillis = 50
/** Commands in a row that fail before Redis counts as away; from then on nobody waits for it at all. */
export const redisFailuresMax = 3
/** How often a Redis that is away is asked whether it is back. */
export const redisProbeIntervalMillis = 500
/** The longest pause between two attempts to connect. */
export const redisReconnectMaxMillis = 2_000
/** How long a connection may owe an answer before it is given up for a new one. */
export const redisSilenceMaxMillis = 5_000

/**
 * How far a search looks, each way in turn: along the list, then among all that match. A word that two in a hundred
 * products have fills a page within the first thousand; one that fewer have has few matches up to a million products.
 */
export const searchRowsNearMax = 1_000
export const searchMatchesNearMax = 10_000
/** Then further, for words that only a part of the list has: some 0.1 s each at most. */
export const searchRowsFarMax = 20_000
export const searchMatchesFarMax = 100_000

/** How many orders a merchant's page looks through for those it sells in: some 0.1 s, where it sells in hardly any. */
export const salesRowsMax = 20_000

/** Rows of one import and the size of its body. */
export const importRowsMax = 10_000
export const importBodySizeMaxBytes = 4 * 1024 * 1024
/** Imports that one process reads and runs at once: each keeps some 25 MB until it is answered. */
export const importsAtOnceMax = 4
/**
 * Rows of an import that one statement creates: some 50 ms. An import that was cut off is gone on with chunk by chunk,
 * so another number here needs a look at those.
 */
export const importChunkRows = 500
/** Errors that are told of one row of an import. */
export const importRowErrorsMax = 5

/** Pages of searches that one process keeps, and how long: edits made elsewhere by hand are seen after that. */
export const cataloguePagesMax = 1_000
export const cataloguePageTtlMillis = 10_000

export const reservationTtlDefaultMillis = 15 * 60_000
export const reservationTtlMaxMillis = 30 * 24 * 3_600_000
/** The same for one product, in seconds. */
export const productReservationTtlMaxSeconds = reservationTtlMaxMillis / 1000

export const carrierLengthMax = 100
export const trackingNumberLengthMax = 100
export const paymentMethodLengthMax = 100
export const paymentReferenceLengthMax = 200

/** Seconds a refused caller is asked to wait: long enough to matter, short enough for a sale. */
export const retryAfterSeconds = 1

const holds = (relation: boolean, sentence: string): void => {
  if (!relation) throw new Error(`bounds: ${sentence}`)
}
holds(holdTtlMillis >= 2 * orderDeadlineMaxMillis, "a hold outlives the longest order deadline twice")
holds(lineQuantityMax <= productUnitsMax, "one line fits a product")
holds(priceAmountMax * lineQuantityMax * orderLinesMax <= orderTotalMax, "the dearest order has an exact total")
holds(batchSizeMaxDefault <= mailboxSizeDefault, "a mailbox holds a batch")
holds(commitSilenceMaxMillis < orderDeadlineDefaultMillis, "an unknown outcome can be settled within the deadline")
holds(pageSizeDefault <= pageSizeMax, "the default page is a legal page")
holds(pageSizeMax < searchRowsNearMax, "a page of a search is found along the list where every product matches")
holds(pageSizeMax < salesRowsMax, "a merchant that sells in every order gets a full page")
holds(redisWaitMaxMillis <= redisProbeIntervalMillis, "Redis is not asked again while it is still being waited for")
