/**
 * What a statement costs, as PostgreSQL itself tells: pages of memory it looked at, rows its widest step went through
 * and which tables it read from end to end. Both kinds of plan are asked for: one that knows the values, and the
 * generic one that a prepared statement may come to.
 */
import type { PgConnection } from "@effect/sql-pg"
import { Effect, Predicate } from "effect"
import type { Statement } from "effect/sql"

export interface Explained {
  readonly buffers: number
  readonly rowsMax: number
  readonly scanned: ReadonlyArray<string>
  readonly millis: number
}

const literal = (value: unknown): string => {
  if (typeof value === "number" || typeof value === "boolean") return String(value)
  return `'${String(value).replaceAll("'", "''")}'`
}

interface Node {
  readonly "Node Type": string
  readonly "Actual Rows": number
  readonly "Actual Loops": number
  readonly "Rows Removed by Filter"?: number
  readonly "Relation Name"?: string
  readonly "Shared Hit Blocks": number
  readonly "Shared Read Blocks": number
  readonly Plans?: ReadonlyArray<Node>
}

const nodesOf = (node: Node): ReadonlyArray<Node> => [node, ...(node.Plans ?? []).flatMap(nodesOf)]

/** Index pages say how many rows they point to; only rows that were fetched are rows that were gone through. */
const isFetch = (node: Node): boolean => node["Node Type"] !== "Bitmap Index Scan" && node["Actual Loops"] > 0

/** Of what is run many times, averages are told; there the runs are counted, each for a row of the step before. */
const rowsOf = (node: Node): number =>
  node["Actual Loops"] > 1 ? node["Actual Loops"] : node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)

export const explained = Effect.fnUntraced(function* (
  connection: PgConnection.PgConnection,
  statement: Statement.Statement<unknown>,
  planCacheMode: "force_custom_plan" | "force_generic_plan",
) {
  const [text, parameters] = statement.compile()
  const values = parameters.length === 0 ? "" : `(${parameters.map(literal).join(", ")})`
  yield* connection.query(`set plan_cache_mode = ${planCacheMode}`, [], false)
  yield* connection.query(`prepare explained as ${text}`, [], false)
  const { rows } = yield* connection.query(
    `explain (analyze, buffers, timing off, format json) execute explained${values}`,
    [],
    false,
  )
  yield* connection.query("deallocate explained", [], false)
  const answer: unknown = rows[0]?.["QUERY PLAN"]
  const [plan] = (Predicate.isString(answer) ? JSON.parse(answer) : answer) as ReadonlyArray<{
    readonly Plan: Node
    readonly "Execution Time": number
  }>
  if (plan === undefined) return yield* Effect.die("nothing was explained")
  const nodes = nodesOf(plan.Plan)
  return {
    buffers: plan.Plan["Shared Hit Blocks"] + plan.Plan["Shared Read Blocks"],
    rowsMax: Math.max(...nodes.filter(isFetch).map(rowsOf)),
    scanned: nodes
      .filter((node) => node["Node Type"] === "Seq Scan" && node["Actual Loops"] > 0)
      .map((node) => node["Relation Name"] ?? ""),
    millis: plan["Execution Time"],
  } satisfies Explained
})
