/**
 * Secure random bytes, drawn from the system a pool at a time. Each byte is handed out once, as a copy, and is gone
 * from the pool.
 *
 * Tried and lost: a system call for each order's id. It took a seventh of the server's time at 256 connections.
 */
import { Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { randomFillSync } from "node:crypto"

const poolSizeBytes = 8_192

const make = (): SecureRandom.SecureRandom["Service"] => {
  const pool = new Uint8Array(poolSizeBytes)
  let used = poolSizeBytes
  return SecureRandom.make((size) => {
    if (size > poolSizeBytes) return randomFillSync(new Uint8Array(size))
    if (used + size > poolSizeBytes) {
      randomFillSync(pool)
      used = 0
    }
    const bytes = pool.slice(used, used + size)
    pool.fill(0, used, used + size)
    used += size
    return bytes
  })
}

export const layer = Layer.sync(SecureRandom.SecureRandom, make)
