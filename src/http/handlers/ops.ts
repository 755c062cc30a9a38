/**
 * Operations over HTTP. Must stay true: they are for admins alone, and answer while PostgreSQL is away, as far as
 * anybody can be told who asks.
 */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { forbidden } from "../../accounts/accountRefusals.ts"
import { ShardOverview, type ShardView } from "../../inventory/ShardOverview.ts"
import { Configuration } from "../../platform/Configuration.ts"
import { CurrentLogControl, labelOf, logLevels } from "../../platform/logging/LogControl.ts"
import { Audit, type AuditedRule, type AuditState } from "../../verification/Audit.ts"
import { Api } from "../contract/Api.ts"
import { CurrentPrincipal } from "../contract/authorization.ts"
import { type AuditView, SetLogLevel, type ShardView as ShardBody } from "../contract/ops.ts"
import { isoTime } from "../isoTime.ts"
import { makeBodyReader } from "../requestBody.ts"
import { answeringInTime } from "../respond.ts"

const readLevel = makeBodyReader(SetLogLevel)

const admin = Effect.flatMap(CurrentPrincipal, ({ account }) =>
  account.isAdmin ? Effect.succeed(account) : Effect.fail(forbidden("Only an admin may do this.")),
)

const shardView = ({ lease, ...shard }: ShardView, mailboxSize: number): typeof ShardBody.Type => ({
  ...shard,
  serving: lease !== null,
  epoch: lease?.epoch ?? null,
  batch: lease?.batch ?? null,
  mailboxSize,
})

const outcomeOf = (rules: ReadonlyArray<AuditedRule>): AuditedRule["outcome"] => {
  const has = (wanted: AuditedRule["outcome"]) => rules.some(({ outcome }) => outcome === wanted)
  return has("violated") ? "violated" : has("unknown") ? "unknown" : "holds"
}

const auditView = ({ last, runningSinceMillis }: AuditState): typeof AuditView.Type => ({
  running: runningSinceMillis !== null,
  ...(runningSinceMillis === null ? {} : { runningSince: isoTime(runningSinceMillis) }),
  ...(last === null
    ? {}
    : {
        last: {
          outcome: outcomeOf(last.rules),
          startedAt: isoTime(last.startedAtMillis),
          endedAt: isoTime(last.endedAtMillis),
          rules: last.rules,
        },
      }),
})

export const opsHandlers = HttpApiBuilder.group(
  Api,
  "ops",
  Effect.fnUntraced(function* (handlers) {
    const overview = yield* ShardOverview
    const audit = yield* Audit
    const control = yield* CurrentLogControl
    const { mailboxSize } = yield* Configuration

    const shards = Effect.gen(function* () {
      yield* admin
      const { rateSeconds, shards: views } = yield* overview.look
      return { data: views.map((view) => shardView(view, mailboxSize)), rateSeconds }
    })

    const startAudit = Effect.gen(function* () {
      yield* admin
      yield* audit.start
      return auditView(audit.state())
    })

    const levels = () => ({ level: labelOf(control.level), configured: labelOf(control.configured) })

    const setLogLevel = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const account = yield* admin
      const { level } = yield* readLevel(request)
      const before = labelOf(control.level)
      const told = Effect.logWarning(`The log level was ${before} and is ${level} from now on`).pipe(
        Effect.annotateLogs({ accountId: account.id }),
      )
      // Said where more is heard: before the log goes quiet, or after it speaks again.
      const isOnBefore = control.isOn("Warn")
      if (isOnBefore) yield* told
      control.setLevel(logLevels[level])
      if (!isOnBefore) yield* told
      return { ...levels(), before }
    })

    return handlers
      .handle("shards", () => answeringInTime(shards))
      .handle("audit", () => answeringInTime(Effect.map(admin, () => auditView(audit.state()))))
      .handle("startAudit", () => answeringInTime(startAudit))
      .handle("logLevel", () => answeringInTime(Effect.map(admin, levels)))
      .handleRaw("setLogLevel", ({ request }) => answeringInTime(setLogLevel(request)))
  }),
)
