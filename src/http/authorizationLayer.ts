/**
 * Turns a bearer token into the principal that an endpoint runs for, or into a 401. On the hot path it costs two
 * look-ups in memory; the signature and the database are asked only about what is not fresh there.
 */
import { Effect, Layer, Redacted } from "effect"
import { unauthenticated } from "../accounts/accountRefusals.ts"
import { Sessions } from "../accounts/Sessions.ts"
import { Authorization, CurrentPrincipal } from "./contract/authorization.ts"
import { respondBeforeWork } from "./respond.ts"

export const authorizationLayer = Layer.effect(
  Authorization,
  Effect.gen(function* () {
    const sessions = yield* Sessions
    return Authorization.of({
      bearer: (httpEffect, { credential }) => {
        const token = Redacted.value(credential)
        if (token === "") return respondBeforeWork(unauthenticated)
        return Effect.matchEffect(sessions.authenticate(token), {
          onSuccess: (principal) => Effect.provideService(httpEffect, CurrentPrincipal, principal),
          onFailure: respondBeforeWork,
        })
      },
    })
  }),
)
