/**
 * What is logged right now, and what became of it: the level, which an admin may change while the service runs, and
 * counts of the lines that were written and of those that were not.
 *
 * Must stay true: a change holds for every fiber from its return on, and asking costs a comparison; counting costs an
 * addition.
 *
 * Tried and lost: Effect's own MinimumLogLevel. Each fiber keeps the one that it was started with, so that a change
 * would not reach the shards' writers, which run for as long as the service.
 */
import { Context, LogLevel } from "effect"

/** As they are called in settings, in lines and in metrics, the most important first. */
export const logLabels = ["fatal", "error", "warn", "info", "debug", "trace"] as const
export type LogLabel = (typeof logLabels)[number]

/** As they are called in settings, each with what Effect calls it. */
export const logLevels: Readonly<Record<LogLabel | "none", LogLevel.LogLevel>> = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  fatal: "Fatal",
  none: "None",
}

const labels = new Map(
  Object.entries(logLevels).map(([label, level]) => [level, label] as readonly [LogLevel.LogLevel, LogLabel | "none"]),
)

export const labelOf = (level: LogLevel.LogLevel): LogLabel | "none" => labels.get(level) ?? "trace"

/** Why a line was not written: like too many others of its second, or an output that is full, slow or gone. */
export const logDropReasons = ["repeated", "stdout", "file"] as const
export type LogDropReason = (typeof logDropReasons)[number]

export interface LogCounts {
  readonly written: Record<LogLabel, number>
  readonly dropped: Record<LogDropReason, Record<LogLabel, number>>
}

const none = (): Record<LogLabel, number> => ({ fatal: 0, error: 0, warn: 0, info: 0, debug: 0, trace: 0 })

export class LogControl {
  readonly counts: LogCounts = {
    written: none(),
    dropped: { repeated: none(), stdout: none(), file: none() },
  }
  /** What the settings say: it holds again after a restart. */
  readonly configured: LogLevel.LogLevel
  private current: LogLevel.LogLevel
  private leastOrdinal: number

  constructor(configured: LogLevel.LogLevel) {
    this.configured = configured
    this.current = configured
    this.leastOrdinal = LogLevel.getOrdinal(configured)
  }

  get level(): LogLevel.LogLevel {
    return this.current
  }

  /** From here on, until the next change or the end of the process. */
  setLevel(level: LogLevel.LogLevel): void {
    this.current = level
    this.leastOrdinal = LogLevel.getOrdinal(level)
  }

  /** Whether a line of this level is written now. */
  isOn(level: LogLevel.LogLevel): boolean {
    return LogLevel.getOrdinal(level) >= this.leastOrdinal
  }
}

/** The one of the service; where nobody configured any, one that nobody reads. */
export const CurrentLogControl = Context.Reference<LogControl>("hedonify/platform/LogControl", {
  defaultValue: () => new LogControl("Info"),
})
