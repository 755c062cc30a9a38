/**
 * Turns a bearer token into the principal that an endpoint runs for, or into a 401. On the hot path it costs two
 * look-ups in memory; the signature and the database are asked only about what is not fresh there.
 *
 * Tried and lost: HttpApi's own bearer security. It wraps each token in a Redacted, whose weak map made the collector
 * take a fifth of the service's throughput at 256 connections.
 */
import { Context, Effect, Layer } from "effect"
import { HttpServerRequest } from "effect/http"
import { forbidden, unauthenticated } from "../accounts/accountRefusals.ts"
import type { Caller } from "../accounts/principal.ts"
import { Sessions } from "../accounts/Sessions.ts"
import { looksLikeApiKey } from "../merchants/apiKey.ts"
import { ApiKeys } from "../merchants/ApiKeys.ts"
import { Authorization, CallerAuthorization, CurrentCaller, CurrentPrincipal } from "./contract/authorization.ts"
import type { Failure } from "./problems.ts"
import { respondBeforeWork } from "./respond.ts"

const bearer = /^Bearer +(\S+) *$/i

const forAccounts = forbidden("This is for accounts that signed in; an API key orders for its merchant.")

const tokenOf = (context: Context.Context<never>): string | undefined => {
  const { headers } = Context.getUnsafe(context, HttpServerRequest.HttpServerRequest)
  return bearer.exec(headers["authorization"] ?? "")?.[1]
}

const accountsOnly = Layer.effect(
  Authorization,
  Effect.gen(function* () {
    const sessions = yield* Sessions
    const keys = yield* ApiKeys
    return Authorization.of((httpEffect) =>
      Effect.withFiber((fiber) => {
        const token = tokenOf(fiber.context)
        if (token === undefined) return respondBeforeWork(unauthenticated)
        if (looksLikeApiKey(token)) {
          return Effect.matchEffect(keys.authenticate(token), {
            onSuccess: () => respondBeforeWork(forAccounts),
            onFailure: respondBeforeWork,
          })
        }
        return Effect.matchEffect(sessions.authenticate(token), {
          onSuccess: (principal) => Effect.provideService(httpEffect, CurrentPrincipal, principal),
          onFailure: respondBeforeWork,
        })
      }),
    )
  }),
)

const channelsToo = Layer.effect(
  CallerAuthorization,
  Effect.gen(function* () {
    const sessions = yield* Sessions
    const keys = yield* ApiKeys
    return CallerAuthorization.of((httpEffect) =>
      Effect.withFiber((fiber) => {
        const token = tokenOf(fiber.context)
        if (token === undefined) return respondBeforeWork(unauthenticated)
        const known: Effect.Effect<Caller, Failure> = looksLikeApiKey(token)
          ? keys.authenticate(token)
          : sessions.authenticate(token)
        return Effect.matchEffect(known, {
          onSuccess: (caller) => Effect.provideService(httpEffect, CurrentCaller, caller),
          onFailure: respondBeforeWork,
        })
      }),
    )
  }),
)

export const authorizationLayer = Layer.mergeAll(accountsOnly, channelsToo)
