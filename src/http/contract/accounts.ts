/**
 * Accounts and sessions as a caller sees them.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { AccountId } from "../../domain/ids.ts"
import { Authorization } from "./authorization.ts"
import { bodyProblems, problems } from "./problem.ts"
import { AttemptedPassword, Email, Name, Password, Timestamp } from "./text.ts"

export const AccountView = Schema.Struct({
  id: AccountId,
  email: Schema.String,
  name: Schema.String,
  roles: Schema.Array(Schema.Literals(["customer", "merchant", "admin"])),
}).annotate({ identifier: "Account" })

export const SignUp = Schema.Struct({ email: Email, password: Password, name: Name }).annotate({ identifier: "SignUp" })

export const SignIn = Schema.Struct({ email: Email, password: AttemptedPassword }).annotate({ identifier: "SignIn" })

export const ChangePassword = Schema.Struct({ currentPassword: AttemptedPassword, newPassword: Password }).annotate({
  identifier: "ChangePassword",
})

export const SessionView = Schema.Struct({
  token: Schema.String,
  expiresAt: Timestamp,
  account: AccountView,
}).annotate({ identifier: "Session" })

export class AccountsGroup extends HttpApiGroup.make("accounts")
  .add(
    HttpApiEndpoint.post("signUp", "/v1/accounts", {
      payload: SignUp,
      success: AccountView.pipe(HttpApiSchema.status(201)),
      error: problems(bodyProblems, { 409: ["email_taken"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Open an account" })),
    HttpApiEndpoint.post("signIn", "/v1/sessions", {
      payload: SignIn,
      success: SessionView.pipe(HttpApiSchema.status(201)),
      error: problems(bodyProblems, { 401: ["bad_credentials"], 429: ["too_many_requests"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Sign in" })),
  )
  .annotateMerge(OpenApi.annotations({ title: "Accounts", description: "Sign up and sign in." })) {}

export class SessionsGroup extends HttpApiGroup.make("sessions")
  .add(
    HttpApiEndpoint.delete("signOut", "/v1/sessions/current", {
      success: HttpApiSchema.NoContent,
      error: problems(),
    }).annotateMerge(OpenApi.annotations({ summary: "Sign out: the token ends at once" })),
    HttpApiEndpoint.get("me", "/v1/me", {
      success: AccountView,
      error: problems(),
    }).annotateMerge(OpenApi.annotations({ summary: "Who am I, and what may I do" })),
    HttpApiEndpoint.post("changePassword", "/v1/me/password", {
      payload: ChangePassword,
      success: HttpApiSchema.NoContent,
      error: problems(bodyProblems, { 401: ["unauthenticated", "bad_credentials"], 429: ["too_many_requests"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Change the password; all other sessions end" })),
    HttpApiEndpoint.delete("erase", "/v1/me", {
      success: HttpApiSchema.NoContent,
      error: problems({ 403: ["forbidden"], 409: ["last_member"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Erase e-mail, name and password for good",
        description: "Its sessions, cart, places and offers end. Orders stay in the books, under its id alone.",
      }),
    ),
  )
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Sessions", description: "The signed-in account." })) {}
