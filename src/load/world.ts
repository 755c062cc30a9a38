/**
 * What a k6 scenario is told before it starts: where the shop is, who may buy there, what there is, and how hard to
 * press. It is handed over as a file of JSON and read by the scripts of k6/, so these are types of plain values only.
 */

export interface Ware {
  readonly id: string
  readonly name: string
  readonly units: number
  /** Minor units of the one currency of the run. */
  readonly price: number
}

/** What every scenario needs. */
export interface World {
  readonly url: string
  /** A word that no other run has: in every key, and in the name of every product. */
  readonly run: string
  /** Sessions of accounts that were made for this run and have no other orders. */
  readonly tokens: ReadonlyArray<string>
  readonly wares: ReadonlyArray<Ware>
  /** Where the summary goes as JSON. */
  readonly summaryFile: string
  /** A bar for sanity only: machines differ, and exactness is what a run is about. */
  readonly latencyMaxMillis: number
}

export interface FlashSaleWorld extends World {
  readonly buyers: number
}

export interface OrderCreationWorld extends World {
  readonly ordersPerSecondMax: number
  readonly durationSeconds: number
}

export interface BrowseAndBuyWorld extends World {
  readonly shoppers: number
  readonly durationSeconds: number
}
