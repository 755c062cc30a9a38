/**
 * What a person reads at the end of a run, and the same for a machine: who got what, how long answers took, and each
 * threshold with whether it held. k6 exits with 99 where one did not; nothing here decides that.
 */
import type { World } from "../src/load/world.ts"

interface Metric {
  readonly values: Readonly<Record<string, number>>
  readonly thresholds?: Readonly<Record<string, { readonly ok: boolean }>>
}

interface Check {
  readonly name: string
  readonly passes: number
  readonly fails: number
}

interface Group {
  readonly checks: ReadonlyArray<Check>
  readonly groups: ReadonlyArray<Group>
}

/** What k6 hands to `handleSummary`, as far as we read it. */
export interface SummaryData {
  readonly metrics: Readonly<Record<string, Metric>>
  readonly root_group: Group
  readonly state: { readonly testRunDurationMs: number }
}

export type Row = readonly [name: string, value: string]

export const digits = (count: number): string => String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",")

/** A metric that was never counted is 0. */
export const countOf = ({ metrics }: SummaryData, name: string): number => metrics[name]?.values["count"] ?? 0

const line = ([name, value]: Row): string => `  ${name.padEnd(26)}${value}`

export const latencies = ({ metrics }: SummaryData, name: string): string => {
  const values = metrics[name]?.values ?? {}
  return ["med", "p(95)", "p(99)", "max"].map((stat) => `${stat} ${digits(values[stat] ?? 0)} ms`).join(", ")
}

/** Rows that only show where there is something to say. */
const trouble = (data: SummaryData): ReadonlyArray<Row> =>
  [
    ["told to come back", countOf(data, "busy_answers")] as const,
    ["connections lost", countOf(data, "connections_lost")] as const,
    ["errors", countOf(data, "errors")] as const,
    ["not begun, k6 was late", countOf(data, "dropped_iterations")] as const,
  ].flatMap(([name, count]) => (count === 0 ? [] : [[name, digits(count)]]))

const checksOf = (group: Group): ReadonlyArray<Check> => [...group.checks, ...group.groups.flatMap(checksOf)]

const verdicts = (data: SummaryData): ReadonlyArray<string> => {
  // k6 hands them over in another order each time.
  const thresholds = Object.entries(data.metrics)
    .flatMap(([name, metric]) =>
      Object.entries(metric.thresholds ?? {}).map(([condition, { ok }]) => ({ text: `${name} ${condition}`, ok })),
    )
    .toSorted((left, right) => (left.text < right.text ? -1 : 1))
  const broken = thresholds.filter(({ ok }) => !ok)
  const failedChecks = checksOf(data.root_group).filter(({ fails }) => fails > 0)
  return [
    broken.length === 0
      ? `thresholds: all ${thresholds.length} held (${thresholds.map(({ text }) => text).join("; ")}).`
      : `thresholds: ${broken.length} of ${thresholds.length} broken: ${broken.map(({ text }) => text).join("; ")}.`,
    ...failedChecks.map(
      ({ fails, name, passes }) => `  "${name}" was false ${digits(fails)} of ${digits(fails + passes)} times`,
    ),
  ]
}

/** For k6's `handleSummary`. */
export const summaryOf = (title: string, data: SummaryData, rows: ReadonlyArray<Row>, { summaryFile }: World) => {
  const seconds = data.state.testRunDurationMs / 1_000
  const all: ReadonlyArray<Row> = [
    ...rows,
    ...trouble(data),
    ["from press to answer", latencies(data, "press_to_answer")],
    ["requests", `${digits(countOf(data, "http_reqs"))} in ${seconds.toFixed(1)} s with opening and closing the books`],
  ]
  return {
    stdout: ["", title, ...all.map(line), ...verdicts(data), ""].join("\n"),
    [summaryFile]: `${JSON.stringify(data, null, 2)}\n`,
  }
}
