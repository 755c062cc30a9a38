/**
 * The configurations that nothing came of. Must stay true: one is remembered only after everything was tried from it; and
 * another is as hopeless if it has the same pending operations and waits for the same readings or for more.
 */
import type { Configuration } from "./configuration.ts"

export class Failures {
  /** By place among the events and name, the ranks of the readings each waited for, ascending. */
  readonly #waiting = new Map<number, Map<string, Array<ReadonlyArray<number>>>>()

  includes(place: number, configuration: Configuration): boolean {
    const names = this.#waiting.get(place)
    if (names === undefined) return false
    const failed = names.get(configuration.name)
    if (failed === undefined) return false
    const waiting = configuration.waitingRanks
    return failed.some((fewer) => isWithin(fewer, waiting))
  }

  add(place: number, configuration: Configuration): void {
    let names = this.#waiting.get(place)
    if (names === undefined) this.#waiting.set(place, (names = new Map()))
    const { name, waitingRanks } = configuration
    const failed = names.get(name) ?? []
    names.set(name, [...failed.filter((more) => !isWithin(waitingRanks, more)), waitingRanks])
  }
}

const isWithin = (fewer: ReadonlyArray<number>, more: ReadonlyArray<number>): boolean => {
  let place = 0
  return fewer.every((rank) => {
    while (place < more.length && (more[place] ?? 0) < rank) place++
    return more[place] === rank
  })
}
