/**
 * What a list of measurements is summed up as: medians and the range, never a mean, since one stalled round on a shared
 * machine would move it.
 */
export interface Summary {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

/** The value that `share` of the values do not exceed; 0 where there are none. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((left, right) => left - right)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] ?? 0
  const above = sorted[Math.ceil(position)] ?? 0
  return below + (above - below) * (position - Math.floor(position))
}

export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

export const summarise = (values: ReadonlyArray<number>): Summary => ({
  median: median(values),
  lowest: quantile(values, 0),
  highest: quantile(values, 1),
})

/** Position by position, so that what slowed a whole round slows both sides of its ratio. */
export const ratios = (above: ReadonlyArray<number>, below: ReadonlyArray<number>): ReadonlyArray<number> =>
  above.flatMap((value, round) => {
    const against = below[round]
    return against === undefined || against === 0 ? [] : [value / against]
  })
