/**
 * Sign-up, sign-in, sign-out and "who am I". Passwords are wrapped as soon as they are read, so that no log or error
 * can show one.
 */
import { Effect, Option, Redacted } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { Accounts } from "../../accounts/Accounts.ts"
import { type Account, rolesOf } from "../../accounts/principal.ts"
import { WaitingLists } from "../../orders/WaitingLists.ts"
import { Sessions } from "../../accounts/Sessions.ts"
import { type AccountView, ChangePassword, SignIn, SignUp } from "../contract/accounts.ts"
import { Api } from "../contract/Api.ts"
import { CurrentPrincipal } from "../contract/authorization.ts"
import { isoTime } from "../isoTime.ts"
import { makeBodyReader } from "../requestBody.ts"
import { answeringInTime } from "../respond.ts"

const readSignUp = makeBodyReader(SignUp)
const readPasswords = makeBodyReader(ChangePassword)
const readSignIn = makeBodyReader(SignIn)

const accountView = (account: Account): typeof AccountView.Type => ({
  id: account.id,
  email: account.email,
  name: account.name,
  roles: rolesOf(account),
})

const addressOf = (request: HttpServerRequest.HttpServerRequest): string =>
  Option.getOrElse(request.remoteAddress, () => "unknown")

export const accountsHandlers = HttpApiBuilder.group(
  Api,
  "accounts",
  Effect.fnUntraced(function* (handlers) {
    const accounts = yield* Accounts
    const sessions = yield* Sessions

    const signUp = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const { email, name, password } = yield* readSignUp(request)
      return accountView(yield* accounts.signUp({ email, name, password: Redacted.make(password) }))
    })

    const signIn = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const { email, password } = yield* readSignIn(request)
      const session = yield* sessions.signIn({ email, password: Redacted.make(password), address: addressOf(request) })
      return {
        token: session.token,
        expiresAt: isoTime(session.expiresAtMillis),
        account: accountView(session.account),
      }
    })

    return handlers
      .handleRaw("signUp", ({ request }) => answeringInTime(signUp(request)))
      .handleRaw("signIn", ({ request }) => answeringInTime(signIn(request)))
  }),
)

export const sessionsHandlers = HttpApiBuilder.group(
  Api,
  "sessions",
  Effect.fnUntraced(function* (handlers) {
    const accounts = yield* Accounts
    const sessions = yield* Sessions
    const lists = yield* WaitingLists

    const changePassword = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const { account, sessionId } = yield* CurrentPrincipal
      const { currentPassword, newPassword } = yield* readPasswords(request)
      yield* sessions.changePassword(sessionId, Redacted.make(newPassword), {
        email: account.email,
        password: Redacted.make(currentPassword),
        address: addressOf(request),
      })
      return HttpServerResponse.empty()
    })

    /** Places and offers go first: should that fail, its owner can still sign in and try again. */
    const erase = Effect.gen(function* () {
      const { account } = yield* CurrentPrincipal
      yield* accounts.mayBeErased(account)
      yield* lists.leaveAll(account.id)
      yield* accounts.erase(account)
      yield* sessions.rolesChanged
    })

    return handlers
      .handleRaw("changePassword", ({ request }) => answeringInTime(changePassword(request)))
      .handle("erase", () => answeringInTime(erase))
      .handle("signOut", () =>
        answeringInTime(Effect.flatMap(CurrentPrincipal, (principal) => sessions.signOut(principal.sessionId))),
      )
      .handle("me", () => Effect.map(CurrentPrincipal, (principal) => accountView(principal.account)))
  }),
)
