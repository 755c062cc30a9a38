/**
 * Health: the process lives while it answers; it is ready while nothing it needs is missing.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Api } from "../contract/Api.ts"
import type { RequestRefusal } from "../problems.ts"
import { Readiness } from "../Readiness.ts"
import { answering } from "../respond.ts"

const ok = { status: "ok" } as const

export const systemHandlers = HttpApiBuilder.group(
  Api,
  "system",
  Effect.fnUntraced(function* (handlers) {
    const readiness = yield* Readiness

    const ready = Effect.flatMap(readiness.missing, (missing) => {
      if (missing.length === 0) {
        const without = readiness.without()
        return Effect.succeed(without.length === 0 ? ok : { ...ok, without })
      }
      const refusal: RequestRefusal = { code: "not_ready", missing }
      return Effect.fail(refusal)
    })

    return handlers.handle("live", () => Effect.succeed(ok)).handle("ready", () => answering(ready))
  }),
)
