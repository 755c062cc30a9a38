/**
 * Token buckets that processes share through Redis, and that each process also keeps by itself. Must stay true: what is
 * granted is what both grant, so that a Redis that is away, flushed or started anew never gives a caller more than this
 * process alone would; nobody waits for Redis longer than its bound.
 *
 * The moment a bucket is whole again is its one key in Redis, by Redis's own clock, and ends by itself. One script does
 * all of it and is sent in full: Redis knows it again by its hash, and no state of ours has to survive a flush.
 */
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { createHash } from "node:crypto"
import { type BucketRule, type Grant, makeLocalBuckets } from "./localBuckets.ts"
import { RedisLink } from "./RedisLink.ts"

export interface Buckets {
  /** Takes as many as there are, up to `count`. */
  readonly takeUpTo: (name: string, count: number) => Effect.Effect<Grant>
  /** Takes one, below zero if need be. */
  readonly take: (name: string) => Effect.Effect<void>
  /** Puts one back, never above the burst; in Redis in the background, and lost there while it is away. */
  readonly giveBack: (name: string) => Effect.Effect<void>
  /** Milliseconds until a token is there; 0 when one is. */
  readonly waitMillis: (name: string) => Effect.Effect<number>
}

export interface BucketOptions extends BucketRule {
  /** What the buckets count; part of their keys. */
  readonly purpose: string
  /** Buckets that one process remembers. */
  readonly bucketsMax: number
}

export class TokenBuckets extends Context.Service<
  TokenBuckets,
  { readonly make: (options: BucketOptions) => Buckets }
>()("hedonify/platform/TokenBuckets") {
  static readonly layerNoDeps = Layer.effect(
    TokenBuckets,
    Effect.map(RedisLink, (link) => TokenBuckets.of({ make: (options) => makeBuckets(link, options) })),
  )

  /** For a process that shares with nobody. */
  static readonly layerLocal = Layer.provide(TokenBuckets.layerNoDeps, RedisLink.layerOff)
}

/**
 * Moves a bucket by up to `count` tokens and answers {granted, milliseconds until the next}. Modes: `upTo` takes what is
 * there, `force` takes (or, negative, gives back) whatever is there.
 */
const script = `
local refill, burst, count, mode = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local missing = math.max(0, (tonumber(redis.call("GET", KEYS[1])) or 0) - now)
if mode == "upTo" then count = math.max(0, math.min(count, math.floor(burst - missing / refill))) end
if count ~= 0 then
  missing = missing + count * refill
  if missing > 0 then
    redis.call("SET", KEYS[1], string.format("%.17g", now + missing), "PX", math.ceil(missing))
  else
    redis.call("DEL", KEYS[1])
  end
end
return { count, math.ceil(math.max(0, missing - (burst - 1) * refill)) }`

const readReply = Schema.decodeUnknownOption(Schema.Tuple([Schema.Int, Schema.Int]))

/** Names are e-mail and network addresses, which are nobody's business in Redis, and of any length. */
const keyOf = (purpose: string, name: string): string =>
  `hedonify:${purpose}:${createHash("sha256").update(name).digest("base64url").slice(0, 22)}`

const makeBuckets = (link: RedisLink["Service"], options: BucketOptions): Buckets => {
  const local = makeLocalBuckets(options)
  const command = (name: string, count: number, mode: "upTo" | "force") =>
    [
      "EVAL",
      script,
      "1",
      keyOf(options.purpose, name),
      String(options.refillMillis),
      String(options.burst),
      String(count),
      mode,
    ] as const

  /** What the shared bucket says; what the caller has where Redis says nothing. */
  const shared = (name: string, count: number, own: Grant): Effect.Effect<Grant> =>
    link.ask(...command(name, count, "upTo")).pipe(
      Effect.map((reply) => {
        const read = readReply(reply)
        return read._tag === "Some" ? { granted: read.value[0], waitMillis: read.value[1] } : own
      }),
      Effect.orElseSucceed(() => own),
    )

  const takeUpTo = Effect.fnUntraced(function* (name: string, count: number) {
    const nowMillis = yield* Clock.currentTimeMillis
    const own = local.takeUpTo(name, count, nowMillis)
    if (own.granted === 0 || !link.isUp()) return own
    const ours = yield* shared(name, own.granted, own)
    if (ours.granted < own.granted) local.giveBack(name, own.granted - ours.granted, nowMillis)
    const waitMillis = ours.granted === count ? 0 : Math.max(1, own.waitMillis, ours.waitMillis)
    return { granted: ours.granted, waitMillis }
  })

  const waitMillis = Effect.fnUntraced(function* (name: string) {
    const own = local.waitMillis(name, yield* Clock.currentTimeMillis)
    if (own > 0 || !link.isUp()) return own
    return (yield* shared(name, 0, { granted: 0, waitMillis: own })).waitMillis
  })

  const move = (count: 1 | -1) =>
    Effect.fnUntraced(function* (name: string) {
      local.take(name, count, yield* Clock.currentTimeMillis)
      if (link.isUp()) yield* link.tell(...command(name, count, "force"))
    })

  return { takeUpTo, take: move(1), giveBack: move(-1), waitMillis }
}
