/**
 * Who is calling, as the database said at most a moment ago. Roles are derived from it and never travel in a token,
 * so that an approval, a suspension or a sign-out holds for the next request of the same token.
 */
import type { AccountId, CallerId, MerchantId, SessionId } from "../domain/ids.ts"

export type MerchantStatus = "pending" | "approved" | "suspended"

export interface Membership {
  readonly merchantId: MerchantId
  readonly status: MerchantStatus
}

export interface Account {
  readonly id: AccountId
  readonly email: string
  readonly name: string
  readonly isAdmin: boolean
  readonly memberships: ReadonlyArray<Membership>
}

export interface Principal {
  readonly _tag: "Account"
  readonly account: Account
  /** The account as the owner of idempotency keys. */
  readonly caller: CallerId
  readonly sessionId: SessionId
}

/** A merchant's own back end, which orders for its customers. */
export interface Channel {
  readonly _tag: "Channel"
  /** The merchant as the owner of idempotency keys, whichever of its API keys was used. */
  readonly caller: CallerId
  readonly merchantId: MerchantId
  readonly isApproved: boolean
}

/** Whoever may order. */
export type Caller = Principal | Channel

export type Role = "customer" | "merchant" | "admin"

export const rolesOf = (account: Account): ReadonlyArray<Role> => {
  const roles: Array<Role> = ["customer"]
  if (account.memberships.some((membership) => membership.status === "approved")) roles.push("merchant")
  if (account.isAdmin) roles.push("admin")
  return roles
}

/** Whether the account may act for this merchant now. */
export const actsFor = (account: Account, merchantId: MerchantId): boolean =>
  account.memberships.some((membership) => membership.merchantId === merchantId && membership.status === "approved")

/** The merchants whose paid orders the account may send off and refund: suspended ones, too, for what they have sold. */
export const maySendFor = (account: Account): ReadonlyArray<MerchantId> =>
  account.memberships.flatMap(({ merchantId, status }) => (status === "pending" ? [] : [merchantId]))

/** Whether the account may see what belongs to this merchant, approved or not. */
export const belongsTo = (account: Account, merchantId: MerchantId): boolean =>
  account.memberships.some((membership) => membership.merchantId === merchantId)
