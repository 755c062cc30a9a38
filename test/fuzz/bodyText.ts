/**
 * Bodies as texts: JSON, and rows of products as NDJSON or CSV, with a flaw in one of their fields or cells.
 */
import { type FieldFlaw, flawedJson } from "./flaws.ts"

export const isRowed = (type: string): boolean => type !== "application/json"

const csvColumns = `name description price.amount price.currency stock merchantId limitPerCustomer saleStartsAt paused
  waitlist stockGroup imageUrl`.split(/\s+/)

const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)

const cellsOf = (row: unknown): Array<string> => {
  const cells = new Map<string, string>()
  const look = (value: unknown, name: string): void => {
    if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) look(inner, name === "" ? key : `${name}.${key}`)
    } else if (value !== null && value !== undefined) cells.set(name, String(value))
  }
  look(row, "")
  return csvColumns.map((column) => quoted(cells.get(column) ?? ""))
}

const csvOf = (rows: ReadonlyArray<unknown>, flaw: FieldFlaw | undefined): string => {
  const table = [[...csvColumns], ...rows.map(cellsOf)]
  if (flaw !== undefined) {
    const record = table[flaw.at % table.length] ?? []
    const cell = flaw.at % csvColumns.length
    if (flaw.kind === "replaced") record[cell] = flaw.by
    else if (flaw.kind === "missing") record.splice(cell, 1)
    else if (flaw.kind === "added") record.splice(cell, 0, flaw.value)
    else table.push(...Array.from({ length: flaw.times }, () => record))
  }
  return table.map((cells) => cells.join(",")).join("\r\n")
}

const ndjsonOf = ([first, ...rest]: ReadonlyArray<unknown>, flaw: FieldFlaw | undefined): string =>
  [jsonOf(first, flaw), ...rest.map((row) => jsonOf(row, undefined))].join("\n")

const jsonOf = (value: unknown, flaw: FieldFlaw | undefined): string =>
  flaw === undefined ? JSON.stringify(value) : flawedJson(value, flaw)

export const bodyText = (type: string, value: unknown, flaw: FieldFlaw | undefined): string => {
  if (!isRowed(type)) return jsonOf(value, flaw)
  const rows = Array.isArray(value) ? value : []
  return type === "text/csv" ? csvOf(rows, flaw) : ndjsonOf(rows, flaw)
}
