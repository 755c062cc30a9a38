/**
 * What accounts, sessions and merchants answer "no" with, as plain values beside those of `domain/refusals.ts`. None
 * of them tells whether an e-mail address has an account, except sign-up, which cannot help it.
 */

export type AccountRefusal =
  | { readonly code: "email_taken" }
  | { readonly code: "bad_credentials" }
  | { readonly code: "unauthenticated" }
  | { readonly code: "forbidden"; readonly reason: string }
  | { readonly code: "not_found" }
  /** A merchant without members could never be acted for again. */
  | { readonly code: "last_member" }
  /** Only what was approved once can be suspended. */
  | { readonly code: "not_suspendable" }
  | { readonly code: "too_many"; readonly reason: string }
  | { readonly code: "too_many_requests"; readonly retryAfterSeconds: number }

type Coded<Code extends AccountRefusal["code"]> = Extract<AccountRefusal, { readonly code: Code }>

export type EmailTaken = Coded<"email_taken">
export type BadCredentials = Coded<"bad_credentials">
export type Unauthenticated = Coded<"unauthenticated">
export type Forbidden = Coded<"forbidden">
export type NotFound = Coded<"not_found">
export type LastMember = Coded<"last_member">
export type NotSuspendable = Coded<"not_suspendable">
export type TooMany = Coded<"too_many">
export type TooManyRequests = Coded<"too_many_requests">

export const emailTaken: EmailTaken = { code: "email_taken" }
export const badCredentials: BadCredentials = { code: "bad_credentials" }
export const unauthenticated: Unauthenticated = { code: "unauthenticated" }
export const notFound: NotFound = { code: "not_found" }
export const lastMember: LastMember = { code: "last_member" }
export const notSuspendable: NotSuspendable = { code: "not_suspendable" }
export const tooMany = (reason: string): TooMany => ({ code: "too_many", reason })
export const forbidden = (reason: string): Forbidden => ({ code: "forbidden", reason })
export const tooManyRequests = (waitMillis: number): TooManyRequests => ({
  code: "too_many_requests",
  retryAfterSeconds: Math.max(1, Math.ceil(waitMillis / 1_000)),
})
