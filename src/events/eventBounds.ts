/**
 * The bounds of reading the event log: what one page may look at, and how much of the log a process prunes at once. A
 * page is short or empty rather than late: its cursor has moved on, and whoever asked goes on from there.
 */

/** Batches that one page looks at, of all shards together and of any one of them. */
export const batchesOfPageMax = 64
export const batchesOfShardMax = 16
/** Batches whose events are read in one query: 8 full ones are some 300 KB. */
export const batchesAtOnceMax = 8
/** Events that one page looks at, whether or not they are for whoever asks: some 100 ms at most. */
export const eventsLookedAtMax = 5_000
/** Events whose orders, products and movements are looked up in one round. */
export const eventsResolvedAtOnceMax = 200
export const eventsResolvedAtOnceMin = 20

/** A cursor of 64 shards has 856 characters. */
export const cursorLengthMax = 2_000

export const eventsKeptMinMillis = 3_600_000
export const eventsKeptMaxMillis = 3_650 * 24 * 3_600_000
export const pruneIntervalMillis = 60_000
/** Batches of one shard whose events one statement takes away: the row of each is written anew. */
export const pruneBatchesMax = 500
/** Steps that one look at the log prunes a shard by: 10,000 batches a minute are more than are written. */
export const pruneStepsMax = 20

const holds = (relation: boolean, sentence: string): void => {
  if (!relation) throw new Error(`event bounds: ${sentence}`)
}
holds(batchesOfShardMax <= batchesOfPageMax, "a page has room for the batches of one shard")
holds(eventsResolvedAtOnceMin <= eventsResolvedAtOnceMax, "a round of look-ups has a least size below its largest")
