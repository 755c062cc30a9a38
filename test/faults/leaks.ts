/**
 * What may never leave the service: the inside in an answer, and a secret in a log.
 */
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { Stage } from "./stage.ts"

const insides: ReadonlyArray<RegExp> = [
  // A stack.
  /\bat \S+ \(|\n\s+at |:\d+:\d+\)/,
  // SQL, its codes and what PostgreSQL says of itself.
  /\b(select|insert into|delete from|returning|unnest)\b.*\b(from|into|values|where)\b/i,
  /\b(pg_\w+|sqlstate|SqlError|FATAL|PANIC)\b|\bterminating connection\b|\b(relation|constraint|column) \\?"/i,
  // A path or a file of ours.
  /(^|[\s"'(])\/(home|work|root|tmp|var|usr|opt|proc)\//,
  /node_modules|\.(ts|js|sql|conf)\b/,
  // Names of the inside.
  /\b(shard_leases|order_lines|pending_returns|customer_units|stock_movements|StoreUn\w+|ShardActor|Fiber|Cause)\b/,
  /\b(ECONN\w+|EPIPE|ENOSPC|ENOTFOUND|EADDR\w+)\b/,
]

/** What an answer's body says that it should not. */
export const leaksOf = (body: string): ReadonlyArray<string> =>
  insides.some((inside) => inside.test(body)) ? [`an answer says too much: ${body.slice(0, 500)}`] : []

const credentials =
  /\b(bearer|basic)\s+(?!\[censored\])[\w.~+/=-]{8,}|authorization["']?\s*[:=]\s*["']?(?!["']?\[censored\])\w/i

/** Every secret that the service's log or output has said so far. */
export const secretsSaid = Effect.gen(function* () {
  const { folder, secrets, services } = yield* Stage
  const file = `${folder}/service.log`
  const texts = [existsSync(file) ? readFileSync(file, "utf8") : "", ...services.map(({ said }) => said())]
  return texts.flatMap((text) => [
    ...secrets
      .filter((secret) => text.includes(secret))
      .map((secret) => `a log says a secret: ${around(text, text.indexOf(secret))}`),
    ...text
      .split("\n")
      .flatMap((line) => (credentials.test(line) ? [`a log says a credential: ${line.slice(0, 300)}`] : [])),
  ])
})

const around = (text: string, at: number): string => text.slice(Math.max(0, at - 120), at + 20)
