/**
 * The name of one request, in its answer, its problem and its log lines. A caller's own is taken when it is sane, so
 * that one id can be followed through several services; ours are a random name of this process and a count, since they
 * have to be unique and need not be secret.
 *
 * Tried and lost: a UUID a request. Its random bytes are a system call, which under load was 7 % of the process's time.
 */
import { SecureRandom } from "effect/crypto"

export const requestIdHeader = "x-request-id"

const sane = /^[\w.:-]{1,128}$/

const processNameBytes = 8
const processName = Buffer.from(SecureRandom.randomBytesUnsafe(processNameBytes)).toString("hex")
let requests = 0

export const requestIdFrom = (header: string | undefined): string => {
  if (header !== undefined && sane.test(header)) return header
  requests += 1
  return `${processName}-${requests}`
}

export { RequestId } from "../platform/logging/requestId.ts"
