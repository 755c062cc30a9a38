/**
 * Turns a bearer token into the principal that an endpoint runs for, or into a 401. On the hot path it costs two
 * look-ups in memory; the signature and the database are asked only about what is not fresh there.
 *
 * Tried and lost: HttpApi's own bearer security. It wraps each token in a Redacted, whose weak map made the collector
 * take a fifth of the service's throughput at 256 connections.
 */
import { Context, Effect, Layer } from "effect"
import { HttpServerRequest } from "effect/http"
import { unauthenticated } from "../accounts/accountRefusals.ts"
import { Sessions } from "../accounts/Sessions.ts"
import { Authorization, CurrentPrincipal } from "./contract/authorization.ts"
import { respondBeforeWork } from "./respond.ts"

const bearer = /^Bearer +(\S+) *$/i

export const authorizationLayer = Layer.effect(
  Authorization,
  Effect.gen(function* () {
    const sessions = yield* Sessions
    return Authorization.of((httpEffect) =>
      Effect.withFiber((fiber) => {
        const { headers } = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const token = bearer.exec(headers["authorization"] ?? "")?.[1]
        if (token === undefined) return respondBeforeWork(unauthenticated)
        return Effect.matchEffect(sessions.authenticate(token), {
          onSuccess: (principal) => Effect.provideService(httpEffect, CurrentPrincipal, principal),
          onFailure: respondBeforeWork,
        })
      }),
    )
  }),
)
