/**
 * Session tokens: a JWT signed with HS256 that names a session and nothing else. Must stay true: only our algorithm,
 * issuer and secret are ever accepted, and a token that was verified once is not verified again while it is kept;
 * whether its session still lives is asked elsewhere, each time.
 *
 * This is the one place that hands a `Date` to a library: jose asks for it.
 */
import { Cache, Clock, Context, DateTime, Effect, Layer, Option, Redacted, Schema } from "effect"
import { jwtVerify, SignJWT } from "jose"
import { SessionId } from "../domain/ids.ts"
import { tokenLengthMax, verifiedTokensMax } from "./accountBounds.ts"
import { unauthenticated, type Unauthenticated } from "./accountRefusals.ts"
import { TokenSecret } from "./TokenSecret.ts"

const issuer = "hedonify"
const algorithm = "HS256"

export interface VerifiedToken {
  readonly sessionId: SessionId
  readonly expiresAtMillis: number
}

const decodeClaims = Schema.decodeUnknownOption(Schema.Struct({ sid: SessionId, exp: Schema.Int }))

export class Tokens extends Context.Service<
  Tokens,
  {
    readonly sign: (token: VerifiedToken) => Effect.Effect<string>
    readonly verify: (token: string) => Effect.Effect<VerifiedToken, Unauthenticated>
  }
>()("hedonify/accounts/Tokens") {
  static readonly layer = Layer.effect(
    Tokens,
    Effect.gen(function* () {
      const secret = Redacted.value(yield* TokenSecret)

      // A failed look-up is not kept, so that a flood of forged tokens cannot push out those of real callers.
      const verified = yield* Cache.make({
        capacity: verifiedTokensMax,
        lookup: (_token: string): Effect.Effect<VerifiedToken, Unauthenticated> => Effect.fail(unauthenticated),
      })

      const verifySignature = Effect.fnUntraced(function* (token: string) {
        const nowMillis = yield* Clock.currentTimeMillis
        const { payload } = yield* Effect.tryPromise({
          try: () =>
            jwtVerify(token, secret, {
              algorithms: [algorithm],
              issuer,
              currentDate: DateTime.toDateUtc(DateTime.makeUnsafe(nowMillis)),
            }),
          catch: () => unauthenticated,
        })
        const claims = decodeClaims(payload)
        if (Option.isNone(claims)) return yield* Effect.fail(unauthenticated)
        const result = { sessionId: claims.value.sid, expiresAtMillis: claims.value.exp * 1_000 }
        yield* Cache.set(verified, token, result)
        return result
      })

      const verify = Effect.fnUntraced(function* (token: string) {
        if (token.length > tokenLengthMax) return yield* Effect.fail(unauthenticated)
        const kept = yield* Cache.getSuccess(verified, token)
        if (Option.isNone(kept)) return yield* verifySignature(token)
        const nowMillis = yield* Clock.currentTimeMillis
        if (nowMillis >= kept.value.expiresAtMillis) return yield* Effect.fail(unauthenticated)
        return kept.value
      })

      const sign = (token: VerifiedToken): Effect.Effect<string> =>
        Effect.promise(() =>
          new SignJWT({ sid: token.sessionId })
            .setProtectedHeader({ alg: algorithm, typ: "JWT" })
            .setIssuer(issuer)
            .setExpirationTime(Math.floor(token.expiresAtMillis / 1_000))
            .sign(secret),
        )

      return Tokens.of({ sign, verify })
    }),
  )
}
