/**
 * Parameters of the inventory's statements: each is given its place in the text and its PostgreSQL type, and arrays
 * travel in PostgreSQL's binary form.
 */
import { PgTypes } from "@effect/sql-pg"
import { Result } from "effect"

export interface Statement {
  readonly text: string
  readonly parameters: ReadonlyArray<PgTypes.Parameter>
}

/** Collects parameters and hands out their places (`$1`, `$2`, …). */
export class SqlParameters {
  readonly all: Array<PgTypes.Parameter> = []

  add(parameter: PgTypes.Parameter): string {
    this.all.push(parameter)
    return `$${this.all.length}`
  }
  array(values: ReadonlyArray<unknown>, elementOid: number): string {
    return this.add(Result.getOrThrow(PgTypes.array(values, elementOid)))
  }
  uuids(values: ReadonlyArray<string>): string {
    return this.array(values, PgTypes.OID.uuid)
  }
  texts(values: ReadonlyArray<string | null>): string {
    return this.array(values, PgTypes.OID.text)
  }
  integers(values: ReadonlyArray<number | null>): string {
    return this.array(values, PgTypes.OID.int4)
  }
  /** Whole numbers beyond 32 bits; a double holds them exactly up to 2^53 and is quicker to encode than an int8. */
  doubles(values: ReadonlyArray<number | null>): string {
    return this.array(values, PgTypes.OID.float8)
  }
  booleans(values: ReadonlyArray<boolean | null>): string {
    return this.array(values, PgTypes.OID.bool)
  }
  /** Fingerprints, given in hex. */
  fingerprints(values: ReadonlyArray<string>): string {
    return this.array(
      values.map((hex) => Buffer.from(hex, "hex")),
      PgTypes.OID.bytea,
    )
  }
}

/** A statement whose text is written around its parameters. */
export const statement = (write: (parameters: SqlParameters) => string): Statement => {
  const parameters = new SqlParameters()
  return { text: write(parameters), parameters: parameters.all }
}
