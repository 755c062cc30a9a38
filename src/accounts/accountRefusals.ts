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
  | { readonly code: "too_many_requests"; readonly retryAfterSeconds: number }

type Coded<Code extends AccountRefusal["code"]> = Extract<AccountRefusal, { readonly code: Code }>

export type EmailTaken = Coded<"email_taken">
export type BadCredentials = Coded<"bad_credentials">
export type Unauthenticated = Coded<"unauthenticated">
export type Forbidden = Coded<"forbidden">
export type NotFound = Coded<"not_found">
export type TooManyRequests = Coded<"too_many_requests">

export const emailTaken: EmailTaken = { code: "email_taken" }
export const badCredentials: BadCredentials = { code: "bad_credentials" }
export const unauthenticated: Unauthenticated = { code: "unauthenticated" }
export const notFound: NotFound = { code: "not_found" }
export const forbidden = (reason: string): Forbidden => ({ code: "forbidden", reason })
export const tooManyRequests = (waitMillis: number): TooManyRequests => ({
  code: "too_many_requests",
  retryAfterSeconds: Math.max(1, Math.ceil(waitMillis / 1_000)),
})
