/**
 * What each fault came to, one line a fault, kept in the run's folder until the end of the run prints them as one table
 * with a total.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

export interface FaultRow {
  readonly fault: string
  readonly requests: number
  /** Orders that their buyers were told of. */
  readonly placed: number
  readonly refused: number
  readonly busy: number
  /** Answers `outcome_unknown`, and how many of their keys had an order when the fault was over. */
  readonly unknown: number
  readonly unknownPlaced: number
  /** Connections that broke before an answer, likewise. */
  readonly lost: number
  readonly lostPlaced: number
  readonly acknowledgedLost: number
  readonly ghosts: number
}

type Count = Exclude<keyof FaultRow, "fault">

const fileOf = (folder: string) => join(folder, "faults.ndjson")

export const addRow = (folder: string, row: FaultRow) => appendFileSync(fileOf(folder), `${JSON.stringify(row)}\n`)

const columns: ReadonlyArray<readonly [heading: string, text: (row: FaultRow) => string]> = [
  ["fault", ({ fault }) => fault],
  ["requests", ({ requests }) => String(requests)],
  ["placed", ({ placed }) => String(placed)],
  ["refused", ({ refused }) => String(refused)],
  ["busy", ({ busy }) => String(busy)],
  ["unknown (placed)", ({ unknown, unknownPlaced }) => `${unknown} (${unknownPlaced})`],
  ["lost connections (placed)", ({ lost, lostPlaced }) => `${lost} (${lostPlaced})`],
  ["acknowledged lost", ({ acknowledgedLost }) => String(acknowledgedLost)],
  ["ghosts", ({ ghosts }) => String(ghosts)],
]

const totalOf = (rows: ReadonlyArray<FaultRow>): FaultRow => {
  const sum = (count: Count) => rows.reduce((total, row) => total + row[count], 0)
  return {
    fault: "total",
    requests: sum("requests"),
    placed: sum("placed"),
    refused: sum("refused"),
    busy: sum("busy"),
    unknown: sum("unknown"),
    unknownPlaced: sum("unknownPlaced"),
    lost: sum("lost"),
    lostPlaced: sum("lostPlaced"),
    acknowledgedLost: sum("acknowledgedLost"),
    ghosts: sum("ghosts"),
  }
}

/** In parentheses: for how many there was an order, as asking again with the same key told. */
export const printSummary = (folder: string) => {
  if (!existsSync(fileOf(folder))) return
  const lines = readFileSync(fileOf(folder), "utf8").trim().split("\n")
  const rows = lines.map((line): FaultRow => JSON.parse(line))
  const cells = [...rows, totalOf(rows)].map((row) => columns.map(([, text]) => text(row)))
  const table = [columns.map(([heading]) => heading), ...cells]
  const widths = columns.map((_, at) => Math.max(...table.map((row) => row[at]?.length ?? 0)))
  const printed = table.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join("  "),
  )
  console.log(["", ...printed, ""].join("\n"))
}
