/**
 * What is known of one product's count, and what comes of judging it. Times are numbers of any unit from one clock; one
 * operation comes before another only if it was answered strictly before the other was invoked.
 */

interface Interval {
  /** When it was asked for, in any unit. It takes effect at one instant from here to `answeredAt`, both included. */
  readonly invokedAt: number
  /** Infinity where no answer says that it has happened by then. */
  readonly answeredAt: number
  /** What a reader of a contradiction calls it. */
  readonly label?: string
}

/** Units leaving the stock, which must be there at that instant, or coming (back) into it. */
export interface UnitsMoved extends Interval {
  readonly kind: "take" | "give"
  readonly quantity: number
  /** Whether it may also never have happened. */
  readonly isOptional?: boolean
}

/** The count was exactly this at one instant: a refusal, a restock's balance or a look at the product names it. */
export interface Reading extends Interval {
  readonly kind: "reading"
  readonly available: number
}

export type StockOperation = UnitsMoved | Reading

/** Units that may have been set aside at any instant from `invokedAt` on, and have come back at any later one. */
export interface Aside {
  readonly quantity: number
  readonly invokedAt: number
  readonly label?: string
}

export interface StockHistory {
  /** The count before anything happened. */
  readonly firstStock: number
  readonly operations: ReadonlyArray<StockOperation>
  readonly asides?: ReadonlyArray<Aside>
}

/** One step of an order that explains a history. */
export interface Step {
  readonly of: StockOperation | Aside
  readonly kind: StockOperation["kind"] | "set aside" | "back from aside"
  readonly countAfter: number
}

export type Verdict = { readonly visitedStates: number } & (
  | { readonly isLinearizable: true; readonly order: ReadonlyArray<Step> }
  | {
      readonly isLinearizable: false
      /** Where every attempt got stuck: the furthest in time of the operations that found no place. */
      readonly stuckAt: StockOperation
      readonly explanation: string
    }
  | { readonly isLinearizable: null; readonly isUndecided: true }
)
