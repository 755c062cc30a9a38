/**
 * The promise, checked over the whole database: the rules are the files of sql/verify in the order of their numbers,
 * each one statement that answers with one row (violations, checked, examples) and opens with its sentence.
 *
 * Must stay true: a rule is right while the service sells, since one statement is one snapshot; rules never share a
 * transaction, since a snapshot held for long slows every batch; and nothing is changed.
 */
import { Array, Effect, FileSystem, Path, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { fileURLToPath } from "node:url"

const rulesFolder = fileURLToPath(new URL("../../sql/verify", import.meta.url))

export interface Rule {
  readonly name: string
  /** What has to hold, as a person would say it. */
  readonly sentence: string
  readonly statement: string
}

export interface RuleResult {
  readonly name: string
  readonly sentence: string
  /** Rows the rule looked at. */
  readonly checked: number
  readonly violations: number
  /** The first hundred offenders at most, as the rule's statement names their parts. */
  readonly examples: ReadonlyArray<Schema.Json>
}

const fileName = /^\d{3}_([a-z0-9_]+)\.sql$/

/** A file's first paragraph of comment is its sentence; what follows says why. */
const sentenceOf = (statement: string): string =>
  Array.takeWhile(statement.split("\n"), (line) => line.startsWith("-- "))
    .map((line) => line.slice("-- ".length))
    .join(" ")

/** Part of the program, so a file that is missing or has another name is a defect. */
export const readRules: Effect.Effect<ReadonlyArray<Rule>, never, FileSystem.FileSystem | Path.Path> = Effect.gen(
  function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const files = (yield* fileSystem.readDirectory(rulesFolder)).toSorted()
    return yield* Effect.forEach(files, (file) =>
      Effect.gen(function* () {
        const name = fileName.exec(file)?.[1]
        if (name === undefined) return yield* Effect.die(`${file} is no rule: its name has to be NNN_name.sql`)
        const statement = yield* fileSystem.readFileString(path.join(rulesFolder, file))
        return { name, sentence: sentenceOf(statement), statement }
      }),
    )
  },
).pipe(Effect.orDie)

const Row = Schema.Struct({ violations: Schema.BigInt, checked: Schema.BigInt, examples: Schema.Array(Schema.Json) })
const decodeRows = Schema.decodeUnknownEffect(Schema.Tuple([Row]))

/** Checks one rule. */
export const check = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, { name, sentence, statement }: Rule) {
  const [row] = yield* decodeRows(yield* sql.unsafe(statement)).pipe(Effect.catchTag("SchemaError", Effect.die))
  const { checked, examples, violations } = row
  return { name, sentence, checked: Number(checked), violations: Number(violations), examples } satisfies RuleResult
})

/** Checks every rule, one after the other. */
export const verify = Effect.fn("verify")(function* () {
  const sql = yield* SqlClient.SqlClient
  const rules = yield* readRules
  return yield* Effect.forEach(rules, (rule) => check(sql, rule))
})

/** Memory enough that a rule over a million orders sorts nothing on disk: the shorter a snapshot, the less it slows. */
const ruleMemory = "64MB"

/** What PostgreSQL is told of a connection that rules are checked on: it keeps it from writing by itself. */
export const readOnlySession = { default_transaction_read_only: "on", work_mem: ruleMemory }

export const isViolated = (result: RuleResult): boolean => result.violations > 0
