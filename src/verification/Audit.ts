/**
 * `verify` inside the service: the same rules, one after the other, in the background, when an admin asks for it and by
 * itself every so often. What the last one found is kept for whoever looks, and for the metrics.
 *
 * Must stay true: one audit at a time; orders do not feel it, since each rule is one statement of bounded time on a
 * connection of its own, without helpers of PostgreSQL's, and rests as long as it took before the next; a rule that is
 * violated is said in the log at once; and what could not be looked at is never called sound.
 */
import { PgClient } from "@effect/sql-pg"
import { Clock, Context, Effect, Fiber, Layer, Schedule } from "effect"
import { SqlError } from "effect/sql"
import { DatabaseAddress } from "../platform/Database.ts"
import { interruptibleAtOnce } from "../platform/interruptibleAtOnce.ts"
import { check, isViolated, readOnlySession, readRules, type Rule, type RuleResult } from "./verify.ts"

/** A rule that takes longer holds a snapshot, and with it the cleaning up of every table, for too long. */
const ruleMaxMillis = 60_000
/** PostgreSQL's answer to its own time limit comes first; a link that went silent is left then. */
const ruleSilenceMaxMillis = ruleMaxMillis + 5_000

const session = {
  ...readOnlySession,
  statement_timeout: String(ruleMaxMillis),
  max_parallel_workers_per_gather: "0",
}

export interface AuditedRule extends RuleResult {
  /** `unknown` where it could not be looked at; `reason` says why. */
  readonly outcome: "holds" | "violated" | "unknown"
  readonly reason?: string
  readonly durationMillis: number
}

export interface AuditResult {
  readonly startedAtMillis: number
  readonly endedAtMillis: number
  readonly rules: ReadonlyArray<AuditedRule>
}

export interface AuditState {
  /** Since when one is under way, or null. */
  readonly runningSinceMillis: number | null
  /** The last one that came to its end in this process. */
  readonly last: AuditResult | null
}

export class Audit extends Context.Service<
  Audit,
  {
    readonly state: () => AuditState
    /** Begins one in the background, unless one is under way; whether it did. */
    readonly start: Effect.Effect<boolean>
    /** Begins one, or joins the one that is under way, and waits for what it finds. */
    readonly run: Effect.Effect<AuditResult>
  }
>()("hedonify/verification/Audit") {
  /** One by itself each `intervalMillis`, the first after one; never where it is Infinity. */
  static readonly layer = ({ auditIntervalMillis }: { readonly auditIntervalMillis: number }) =>
    Layer.effect(
      Audit,
      Effect.suspend(() => make(auditIntervalMillis)),
    )
}

/** Rules that the last audit found violated; none before the first. */
export const violatedRules = ({ last }: AuditState): ReadonlyArray<AuditedRule> =>
  last?.rules.filter(({ outcome }) => outcome === "violated") ?? []

const make = Effect.fnUntraced(function* (intervalMillis: number) {
  const address = yield* DatabaseAddress
  const rules = yield* readRules
  /** Whoever asks for an audit has his answer long before it ends: it is nobody's request and no part of a trace. */
  const fork = Effect.runForkWith(yield* Effect.context())
  let runningSinceMillis: number | null = null
  let last: AuditResult | null = null
  let running: Fiber.Fiber<AuditResult> | null = null

  const client = PgClient.layer({
    ...address,
    applicationName: "hedonify audit",
    maxConnections: 1,
    prepare: false,
    startupParameters: { ...address.startupParameters, ...session },
  })

  const audit = Effect.fnUntraced(function* (startedAtMillis: number) {
    const audited = yield* Effect.flatMap(PgClient.PgClient, (sql) =>
      Effect.forEach(rules, (rule) => checked(sql, rule)),
    ).pipe(
      Effect.provide(client),
      Effect.catchTag("SqlError", (error) => Effect.succeed(rules.map((rule) => unknown(rule, error, 0)))),
    )
    last = { startedAtMillis, endedAtMillis: yield* Clock.currentTimeMillis, rules: audited }
    yield* tell(last)
    return last
  })
  const ended = Effect.sync(() => {
    running = null
    runningSinceMillis = null
  })
  /** The one under way, begun if there is none; whether it was begun. */
  const begun = Effect.map(Clock.currentTimeMillis, (nowMillis) => {
    if (running !== null) return { fiber: running, isNew: false }
    runningSinceMillis = nowMillis
    running = fork(Effect.ensuring(audit(nowMillis), ended))
    return { fiber: running, isNew: true }
  })
  yield* Effect.addFinalizer(() => Effect.suspend(() => (running === null ? Effect.void : Fiber.interrupt(running))))

  const run = Effect.flatMap(begun, ({ fiber }) => Fiber.join(fiber))
  if (intervalMillis !== Infinity) {
    yield* run.pipe(
      Effect.delay(intervalMillis),
      Effect.catchCause((cause) => Effect.logError("An audit met a defect; the next one looks again", cause)),
      Effect.repeat(Schedule.forever),
      Effect.forkScoped,
    )
  }
  return Audit.of({
    state: () => ({ runningSinceMillis, last }),
    start: Effect.map(begun, ({ isNew }) => isNew),
    run,
  })
})

const checked = Effect.fnUntraced(function* (sql: PgClient.PgClient, rule: Rule) {
  const startedAtMillis = yield* Clock.currentTimeMillis
  const durationMillis = Effect.map(Clock.currentTimeMillis, (nowMillis) => nowMillis - startedAtMillis)
  const audited = yield* check(sql, rule).pipe(
    interruptibleAtOnce,
    Effect.timeout(ruleSilenceMaxMillis),
    Effect.matchEffect({
      onSuccess: (result) =>
        Effect.map(durationMillis, (took): AuditedRule => ({ ...result, ...outcomeOf(result), durationMillis: took })),
      onFailure: (error) => Effect.map(durationMillis, (took) => unknown(rule, error, took)),
    }),
  )
  if (audited.outcome === "violated") {
    const { checked: rows, name, sentence, violations } = audited
    yield* Effect.logError(`A rule is violated: ${sentence}`).pipe(
      Effect.annotateLogs({ rule: name, violations, checked: rows }),
    )
  }
  yield* Effect.sleep(audited.durationMillis)
  return audited
})

const outcomeOf = (result: RuleResult) => ({ outcome: isViolated(result) ? "violated" : "holds" }) as const

const unknown = ({ name, sentence }: Rule, error: unknown, durationMillis: number): AuditedRule => ({
  name,
  sentence,
  checked: 0,
  violations: 0,
  examples: [],
  outcome: "unknown",
  reason: reasonOf(error),
  durationMillis,
})

const reasonOf = (error: unknown): string => {
  if (!SqlError.isSqlError(error)) return `it took longer than ${ruleSilenceMaxMillis / 1_000} seconds`
  switch (error.reason._tag) {
    case "StatementTimeoutError":
      return `it took longer than ${ruleMaxMillis / 1_000} seconds`
    case "ConnectionError":
      return "PostgreSQL cannot be reached"
    default:
      return "PostgreSQL refused it"
  }
}

const tell = ({ endedAtMillis, rules, startedAtMillis }: AuditResult) => {
  const count = (wanted: AuditedRule["outcome"]) => rules.filter(({ outcome }) => outcome === wanted).length
  const fields = { rules: rules.length, violated: count("violated"), durationMillis: endedAtMillis - startedAtMillis }
  const unseen = rules.find(({ outcome }) => outcome === "unknown")
  return unseen === undefined
    ? Effect.logInfo("An audit ended").pipe(Effect.annotateLogs(fields))
    : Effect.logWarning("An audit could not look at every rule").pipe(
        Effect.annotateLogs({ ...fields, unknown: count("unknown"), reason: unseen.reason }),
      )
}
