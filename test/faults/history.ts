/**
 * What the clients of one product saw, and whether any order of events explains it. Whoever has a stronger checker puts
 * it behind `checkHistory`. Must stay true: it knows nothing but the clients' side, so that no mistake of the service's
 * own books can hide from it, and it calls nothing wrong that some order of events allows.
 */

export type PartAnswer =
  | { readonly _tag: "placed"; readonly orderId: string; readonly isReplayed: boolean }
  /** `isRetryable`: only what others hold for a moment was in the way, so it says nothing of what is sold. */
  | { readonly _tag: "out_of_stock"; readonly available: number; readonly isRetryable: boolean }
  /** Nothing happened: the service was busy, or another part of the same order was refused. */
  | { readonly _tag: "busy" }
  | { readonly _tag: "unknown" }
  /** No answer at all. */
  | { readonly _tag: "lost" }

/** One request for one product, by the clock of the process that asked. */
export interface OrderRecord {
  readonly key: string
  readonly productId: string
  readonly quantity: number
  readonly invokedAtMillis: number
  readonly answeredAtMillis: number | null
  readonly answer: PartAnswer
  /** Whether the order had other products too: until it is decided, its units may be held. */
  readonly isPart: boolean
}

/** One key's order: taken at some moment between these two, if at all. */
interface Taking {
  readonly units: number
  readonly notBeforeMillis: number
  /** Infinite where nobody was told that it was. */
  readonly notAfterMillis: number
  readonly orderIds: ReadonlySet<string>
  readonly isOpen: boolean
}

/** What is wrong with the records of one product that was stocked with so many units and never again; empty: nothing. */
export const checkHistory = (records: ReadonlyArray<OrderRecord>, firstStock: number): ReadonlyArray<string> => {
  const takings = [...Map.groupBy(records, ({ key }) => key)].map(([key, ofKey]) => [key, takingOf(ofKey)] as const)
  const sold = takings.filter(([, { orderIds }]) => orderIds.size > 0)
  const units = sold.reduce((sum, [, taking]) => sum + taking.units, 0)
  return [
    ...(units > firstStock ? [`${units} units were sold of ${firstStock}`] : []),
    ...sold.flatMap(([key, { orderIds }]) => (orderIds.size > 1 ? [`key ${key} got ${orderIds.size} orders`] : [])),
    ...checkRefusals(
      records,
      takings.map(([, taking]) => taking),
      firstStock,
    ),
  ]
}

const takingOf = (records: ReadonlyArray<OrderRecord>): Taking => {
  const placed = records.filter(({ answer }) => answer._tag === "placed")
  return {
    units: records[0]?.quantity ?? 0,
    notBeforeMillis: Math.min(...records.map(({ invokedAtMillis }) => invokedAtMillis)),
    notAfterMillis: Math.min(...placed.map(({ answeredAtMillis }) => answeredAtMillis ?? Number.POSITIVE_INFINITY)),
    orderIds: new Set(placed.flatMap(({ answer }) => (answer._tag === "placed" ? [answer.orderId] : []))),
    isOpen: records.some(({ answer }) => answer._tag === "unknown" || answer._tag === "lost"),
  }
}

/** How many units are summed up to a moment. */
const sumsUpTo = (entries: ReadonlyArray<readonly [atMillis: number, units: number]>) => {
  const sorted = entries.toSorted(([left], [right]) => left - right)
  const sums: Array<number> = []
  for (const [at, [, units]] of sorted.entries()) sums.push((sums[at - 1] ?? 0) + units)
  return (atMillis: number): number => {
    let [low, high] = [0, sorted.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sorted[middle]?.[0] ?? 0) <= atMillis) low = middle + 1
      else high = middle
    }
    return sums[low - 1] ?? 0
  }
}

/**
 * A refusal names what was left at one moment between its question and its answer: no more than what was left after
 * all that was confirmed before the question, and no less than after all that anybody may have got before the answer.
 */
const checkRefusals = (
  records: ReadonlyArray<OrderRecord>,
  takings: ReadonlyArray<Taking>,
  firstStock: number,
): ReadonlyArray<string> => {
  const isHeldFor = records.some(({ isPart }) => isPart)
  const surelyTaken = sumsUpTo(takings.map(({ notAfterMillis, units }) => [notAfterMillis, units]))
  const maybeTaken = sumsUpTo(
    takings.flatMap(({ isOpen, notBeforeMillis, orderIds, units }) =>
      isOpen || orderIds.size > 0 ? [[notBeforeMillis, units] as const] : [],
    ),
  )
  return records.flatMap(({ answer, answeredAtMillis, invokedAtMillis, key, quantity }) => {
    if (answer._tag !== "out_of_stock") return []
    const mostLeft = firstStock - surelyTaken(invokedAtMillis)
    const leastLeft = firstStock - maybeTaken(answeredAtMillis ?? Number.POSITIVE_INFINITY)
    return [
      ...(answer.available > mostLeft ? [`key ${key} was told of ${answer.available} units, of ${mostLeft} left`] : []),
      // Units that others hold count as taken, and nobody is told of them.
      ...(!isHeldFor && answer.available < leastLeft
        ? [`key ${key} was told of ${answer.available} units, of at least ${leastLeft} left`]
        : []),
      ...(!answer.isRetryable && answer.available >= quantity
        ? [`key ${key} was refused ${quantity} of ${answer.available} units`]
        : []),
    ]
  })
}
