/**
 * What a benchmark leaves behind: tables on the terminal and bench/results/<name>.json for machines. A ratio stands
 * beside its bar, so that nobody has to know the goal to read the result.
 */
import { PgClient } from "@effect/sql-pg"
import { Console, Effect, FileSystem, Path } from "effect"
import { cpus, totalmem } from "node:os"
import { fileURLToPath } from "node:url"
import { ratios, summarise, type Summary } from "./statistics.ts"

export interface Row {
  readonly name: string
  /** What was measured and in which unit, one value a round. */
  readonly values: ReadonlyArray<number>
  readonly notes: string
}

export interface Comparison {
  readonly name: string
  /** One ratio a round. */
  readonly values: ReadonlyArray<number>
  readonly bar: number
  readonly better: "higher" | "lower"
}

export interface Report {
  readonly name: string
  readonly unit: string
  readonly rows: ReadonlyArray<Row>
  readonly comparisons: ReadonlyArray<Comparison>
  readonly checks: ReadonlyArray<string>
  readonly server: ServerFacts
}

export interface ServerFacts {
  readonly version: string
  readonly fsync: string
  readonly synchronousCommit: string
}

export const compare = (
  name: string,
  above: ReadonlyArray<number>,
  below: ReadonlyArray<number>,
  bar: number,
  better: Comparison["better"] = "higher",
): Comparison => ({ name, values: ratios(above, below), bar, better })

export const serverFacts = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const [facts] = yield* sql<ServerFacts>`
    select current_setting('server_version') as version, current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as "synchronousCommit"`
  return facts ?? (yield* Effect.die("PostgreSQL says nothing about itself"))
})

const machineFacts = () => ({
  processor: cpus()[0]?.model.trim() ?? "unknown",
  processors: cpus().length,
  memoryGibibytes: Math.round(totalmem() / 2 ** 30),
  system: `${process.platform} ${process.arch}`,
  node: process.version,
})

const number = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(value >= 1 ? 3 : 2)

const range = ({ highest, lowest }: Summary): string => `${number(lowest)} – ${number(highest)}`

const isMet = ({ bar, better }: Comparison, ratio: number): boolean =>
  better === "higher" ? ratio >= bar : ratio <= bar

/** Columns as wide as their widest cell, the first to the left and the others to the right. */
const table = (header: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const lines = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? "").length)))
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
  return [line(header), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join("\n")
}

const resultsFolder = fileURLToPath(new URL("results", import.meta.url))

/** Prints the report and writes it down; what it says is whether every bar is met. */
export const publish = Effect.fnUntraced(function* (report: Report) {
  const machine = machineFacts()
  const rows = report.rows.map((row) => ({ ...row, ...summarise(row.values) }))
  const comparisons = report.comparisons.map((comparison) => {
    const summary = summarise(comparison.values)
    return { ...comparison, ...summary, isMet: isMet(comparison, summary.median) }
  })
  yield* Console.log(
    [
      `\n${report.name}: ${machine.processors} x ${machine.processor}, ${machine.memoryGibibytes} GiB, ${machine.system}, Node ${machine.node}, PostgreSQL ${report.server.version}, fsync ${report.server.fsync}, synchronous_commit ${report.server.synchronousCommit}\n`,
      table(
        [report.unit, "median", "range", "notes"],
        rows.map((row) => [row.name, number(row.median), range(row), row.notes]),
      ),
      "",
      table(
        ["ratio (median of the rounds)", "ratio", "range", "bar", ""],
        comparisons.map((row) => [
          row.name,
          number(row.median),
          range(row),
          `${row.better === "higher" ? ">=" : "<="} ${row.bar}`,
          row.isMet ? "met" : "MISSED",
        ]),
      ),
      "",
      ...report.checks,
    ].join("\n"),
  )
  const fileSystem = yield* FileSystem.FileSystem
  const file = (yield* Path.Path).join(resultsFolder, `${report.name}.json`)
  yield* fileSystem.makeDirectory(resultsFolder, { recursive: true })
  yield* fileSystem.writeFileString(file, `${JSON.stringify({ ...report, rows, comparisons, machine }, null, 2)}\n`)
  yield* Console.log(`written to bench/results/${report.name}.json`)
})
