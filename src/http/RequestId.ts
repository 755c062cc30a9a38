/**
 * The name of one request, in its answer, its problem and its log lines. A caller's own is taken when it is sane, so
 * that one id can be followed through several services.
 */
import { Context } from "effect"
import { SecureRandom } from "effect/crypto"

export const requestIdHeader = "x-request-id"

const sane = /^[\w.:-]{1,128}$/

export const requestIdFrom = (header: string | undefined): string =>
  header !== undefined && sane.test(header) ? header : SecureRandom.uuidV7Unsafe()

export const RequestId = Context.Reference<string>("hedonify/http/RequestId", { defaultValue: () => "none" })
