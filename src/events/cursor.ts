/**
 * A cursor into the event log: for each shard the batch to read next, and how many of its events were read already. It
 * says all of it itself, so nobody has to remember who reads; to a caller it is a word without meaning that may stand in
 * a URL. Must stay true: what was given out once can be read by every later version of the service.
 */
import { Result } from "effect"
import type { Shard } from "../domain/ids.ts"

export interface Position {
  /** From 1 on. */
  readonly batch: number
  /** How many of that batch's events were read. */
  readonly offset: number
}

/** By number of shard. */
export type Positions = ReadonlyArray<Position>

/** Before everything; a shard that a cursor does not know begins here, too. */
export const beginning: Position = { batch: 1, offset: 0 }

/** A byte of version, then for each shard 48 bits of batch and 32 of offset, the highest byte first. */
const version = 1
const shardBytes = 10
const twoTo32 = 2 ** 32

export const encodeCursor = (positions: Positions): string => {
  const bytes = Buffer.alloc(1 + positions.length * shardBytes)
  bytes.writeUInt8(version)
  for (const [shard, { batch, offset }] of positions.entries()) {
    const at = 1 + shard * shardBytes
    bytes.writeUInt16BE(Math.floor(batch / twoTo32), at)
    bytes.writeUInt32BE(batch % twoTo32, at + 2)
    bytes.writeUInt32BE(offset, at + 6)
  }
  return bytes.toString("base64url")
}

export const decodeCursor = (text: string): Result.Result<Positions, "malformed"> => {
  const bytes = Buffer.from(text, "base64url")
  const isOurs = bytes.toString("base64url") === text && bytes[0] === version && (bytes.length - 1) % shardBytes === 0
  if (!isOurs) return Result.fail("malformed")
  const positions: Array<Position> = []
  for (let at = 1; at < bytes.length; at += shardBytes) {
    const batch = bytes.readUInt16BE(at) * twoTo32 + bytes.readUInt32BE(at + 2)
    if (batch === 0) return Result.fail("malformed")
    positions.push({ batch, offset: bytes.readUInt32BE(at + 6) })
  }
  return Result.succeed(positions)
}

/**
 * The id of an event, from where it stands in the log, which never changes: the same one whoever reads it, whenever, by
 * GET or by webhook.
 */
export const eventIdOf = (shard: Shard, batch: number, position: number): string => {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt16BE(shard)
  bytes.writeUInt16BE(Math.floor(batch / twoTo32), 2)
  bytes.writeUInt32BE(batch % twoTo32, 4)
  bytes.writeUInt32BE(position, 8)
  return `evt_${bytes.toString("base64url")}`
}
