/**
 * Finds the word that was probably meant. Kept to what a typing mistake makes: a wrong suggestion is worse than none.
 */

/** Levenshtein's distance, one row at a time. */
const distance = (left: string, right: string): number => {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substituted))
    }
    row = next
  }
  return row[right.length] ?? 0
}

/** A third of the letters may differ. */
export const nearest = (word: string, known: ReadonlyArray<string>): string | undefined => {
  const candidates = known.map((candidate) => ({ candidate, away: distance(word, candidate) }))
  const best = candidates.sort((one, other) => one.away - other.away)[0]
  return best !== undefined && best.away <= word.length / 3 ? best.candidate : undefined
}
