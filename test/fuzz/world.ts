/**
 * What one sequence of requests knows of the shop: who can call, which ids, keys and ETags are real, all learnt from
 * answers. Must stay true: which of them a request uses is decided by the generated value that it stands in for, so the
 * same sequence in a fresh world sends the same requests but for the ids.
 */
import { Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { createHash } from "node:crypto"
import type { AccountId } from "../../src/domain/ids.ts"
import { signedHeaders } from "../../src/payments/signing.ts"
import { paymentSecret } from "../http/testServer.ts"
import type { Operation } from "./contract.ts"

export type Role = "anyone" | "customer" | "otherCustomer" | "merchant" | "admin"

export interface Caller {
  readonly token: string
  readonly email: string
  readonly id: AccountId
}

export const password = "a long enough password"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const keysMax = 8
const ownMax = 6

/** Times that a clock can meet, and such as none of ours will. */
const times = [
  "2020-01-01T00:00:00Z",
  "2024-02-29T23:59:59.999999999+14:00",
  "2199-12-31T23:59:59Z",
  "2026-02-30T00:00:00Z",
  "2026-01-01T24:00:00Z",
  "2026-12-31T23:59:60Z",
  "0000-01-01T00:00:00Z",
  "0000-01-01T00:00:00+23:59",
  "9999-12-31T23:59:59Z",
  "9999-12-31T23:59:59-23:59",
]

/** Ways to pay that the provider knows, of those that keep nobody waiting. */
const paymentMethods = [
  "success",
  "declined",
  "delayed",
  "delayed_declined",
  "duplicate_callbacks",
  "callbacks_out_of_order",
  "late_success",
]

/** A whole number that a text always gives. */
const numberOf = (text: string): number => createHash("sha256").update(text).digest().readUInt32BE()

const pick = <A>(from: ReadonlyArray<A>, number: number): A | undefined => from[number % Math.max(1, from.length)]

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export class World {
  readonly callers: Record<Exclude<Role, "anyone">, Caller>
  /** An address of its own, so that sign-ins that fail here slow nobody else. */
  readonly address: string
  readonly #ids = new Map<string, Array<string>>()
  readonly #etags = new Map<string, string>()

  constructor(callers: World["callers"], address: string) {
    this.callers = callers
    this.address = address
  }

  tokenOf(role: Role): string | undefined {
    return role === "anyone" ? undefined : this.callers[role].token
  }

  /** The names under which a printed request shows what only this world has. */
  names(): ReadonlyArray<readonly [value: string, name: string]> {
    const ids = [...this.#ids].flatMap(([kind, known]) =>
      known.map((id, index) => [id, `${kind}_${index + 1}`] as const),
    )
    const tokens = Object.entries(this.callers).map(([role, { token }]) => [token, role] as const)
    const emails = Object.entries(this.callers).map(([role, { email }]) => [email, `${role}_email`] as const)
    return [...ids, ...tokens, ...emails].map(([value, name]) => [value, name.replaceAll("-", "_").toUpperCase()])
  }

  known(kind: string): ReadonlyArray<string> {
    return this.#ids.get(kind) ?? []
  }

  addId(kind: string, id: unknown): void {
    if (typeof id !== "string" || !uuid.test(id)) return
    const known = this.#ids.get(kind) ?? []
    if (!known.includes(id)) this.#ids.set(kind, [...known, id])
  }

  /** Takes what an answer tells: ids by the names they go by, and the ETag of its path. */
  learn(operation: Operation, path: string, headers: ReadonlyMap<string, ReadonlyArray<string>>, body: unknown): void {
    const [etag] = headers.get("etag") ?? []
    const [location] = headers.get("location") ?? []
    if (etag !== undefined) this.#etags.set(location ?? path, etag)
    const [collection, id] = (location ?? "").split("/").slice(-2)
    if (collection !== undefined && id !== undefined) this.addId(collection.replace(/s$/, ""), id)
    this.#learnIds(body, location === undefined ? operation.kind : "")
  }

  #learnIds(value: unknown, kind: string): void {
    if (Array.isArray(value)) {
      for (const item of value) this.#learnIds(item, kind)
      return
    }
    if (!isRecord(value)) return
    for (const [name, inner] of Object.entries(value)) {
      if (name === "id") this.addId(kind, inner)
      else if (/^[a-z]+Id$/.test(name)) this.addId(name.replace(/Id$/, ""), inner)
      else this.#learnIds(inner, name === "data" ? kind : name)
    }
  }

  /** The generated value with what is real in place of most that was made up. `kind`: what a mere id names here. */
  settled(value: unknown, name: string, kind: string): unknown {
    if (Array.isArray(value)) return value.map((item) => this.settled(item, name, kind))
    if (isRecord(value)) {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, this.settled(inner, key, kind)]))
    }
    // Of what is asked for, most is there.
    if (name === "quantity" && typeof value === "number" && value % 4 !== 0)
      return Math.sign(value) * (1 + (Math.abs(value) % 3))
    return typeof value === "string" ? this.settledText(value, name, kind) : value
  }

  settledText(text: string, name: string, kind: string): string {
    const number = numberOf(text)
    if (uuid.test(text)) {
      const known = this.#ids.get(name.endsWith("Id") ? name.replace(/Id$/, "") : kind) ?? []
      if (number % 8 === 0) return text
      // Lists tell of other worlds, too; what was there first is of this one.
      return pick(number % 4 === 1 ? known : known.slice(0, ownMax), number >>> 3) ?? text
    }
    switch (name.toLowerCase()) {
      case "idempotency-key":
      case "idempotencykey":
        return number % 4 === 0 ? text : `key-${number % keysMax}`
      case "email":
        return number % 2 === 0 ? text : (pick(Object.values(this.callers), number >>> 1)?.email ?? text)
      case "password":
      case "currentpassword":
      case "newpassword":
        return number % 3 === 0 ? text : password
      case "currency":
        return number % 5 === 0 ? text : "EUR"
      case "url":
        return number % 4 === 0 ? text : "https://hooks.example/hook"
      case "method":
        return number % 5 === 0 ? text : (pick(paymentMethods, number >>> 2) ?? text)
      case "salestartsat":
        return number % 2 === 0 ? (times[0] ?? text) : (pick(times, number >>> 1) ?? text)
      default:
        return text
    }
  }

  /** A tag for a conditional request of this path: mostly the real one, in one of its spellings. */
  settledTag(text: string, path: string): string {
    const number = numberOf(text)
    const etag = this.#etags.get(path) ?? '"1.2.3"'
    const version = /\d+/.exec(etag)?.[0] ?? "1"
    return pick([etag, etag, etag, `W/${etag}`, `"${version}"`, `"0", ${etag}`, "*", '"7.7.7"', text], number) ?? text
  }

  /** For a request that needs one, mostly the payment provider's own signature of this body, made just now. */
  signatureOf(text: string | undefined, body: string): Readonly<Record<string, string>> {
    if (text === undefined || numberOf(text) % 6 === 0) return {}
    return signedHeaders(Redacted.make(paymentSecret), `msg_${SecureRandom.uuidV7Unsafe()}`, Date.now(), body)
  }
}
