/**
 * Keeps a flood of one and the same line from filling disks: so many of a kind are written in a second, the others are
 * counted, and the next line that is written, or one at the end of the second, says how many they were.
 *
 * Must stay true: memory is bounded by `kindsMax`, whatever is logged, and so are the lines of a second; nothing is
 * left out without a word.
 */
import type { LogLabel } from "./LogControl.ts"

/** Lines of one kind in a second: requests whose traces are kept come by the dozen, a fault is understood by then. */
const linesMax: Readonly<Record<LogLabel, number>> = {
  fatal: 10,
  error: 10,
  warn: 10,
  info: 100,
  debug: 100,
  trace: 100,
}
const windowMillis = 1_000
/** Kinds that are told apart; beyond them all of one level count as one kind, until a second is over. */
const kindsMax = 256
const nameLengthMax = 200

interface Kind {
  readonly level: LogLabel
  readonly text: string
  endMillis: number
  written: number
  leftOut: number
}

export interface LeftOut {
  readonly level: LogLabel
  readonly text: string
  readonly count: number
}

export class Repeats {
  private readonly kinds = new Map<string, Kind>()

  /** How many lines like this one were left out since the last that was written, or null where this one is, too. */
  admit(level: LogLabel, text: string, nowMillis: number): number | null {
    const kind = this.kindOf(level, text, nowMillis)
    if (nowMillis >= kind.endMillis) {
      kind.endMillis = nowMillis + windowMillis
      kind.written = 0
    }
    if (kind.written >= linesMax[level]) {
      kind.leftOut += 1
      return null
    }
    kind.written += 1
    const { leftOut } = kind
    kind.leftOut = 0
    return leftOut
  }

  /** What was left out of seconds that are over, once; their kinds are forgotten. */
  takeOver(nowMillis: number): ReadonlyArray<LeftOut> {
    const told: Array<LeftOut> = []
    for (const [name, { endMillis, leftOut, level, text }] of this.kinds) {
      if (endMillis > nowMillis) continue
      this.kinds.delete(name)
      if (leftOut > 0) told.push({ level, text, count: leftOut })
    }
    return told
  }

  private kindOf(level: LogLabel, text: string, nowMillis: number): Kind {
    const name = `${level} ${text.slice(0, nameLengthMax)}`
    const known = this.kinds.get(name)
    if (known !== undefined) return known
    const isFull = this.kinds.size >= kindsMax
    const kind = {
      level,
      text: isFull ? "other lines" : text,
      endMillis: nowMillis + windowMillis,
      written: 0,
      leftOut: 0,
    }
    if (!isFull) {
      this.kinds.set(name, kind)
      return kind
    }
    const others = this.kinds.get(othersOf(level)) ?? kind
    this.kinds.set(othersOf(level), others)
    return others
  }
}

const othersOf = (level: LogLabel): string => `${level} and others`
