/**
 * Orders over one shard or several. With one, the order is one command. With several, the shards but the lowest hold
 * their lines, the highest first, and the lowest, the order's home for ever, takes its own and consumes the holds in
 * the order's own statement.
 *
 * Must stay true: retries of a key in flight join it; the key is looked up before the first hold and before any
 * refusal, or a retry is refused by its own first attempt; what was held for nothing is released by its own attempt
 * only, and never while the order may still be placed.
 */
import { Clock, Context, Deferred, Effect, type Exit, Fiber, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { coordinatedOrdersMax, holdTtlMillis, orderDeadlineDefaultMillis } from "../domain/bounds.ts"
import {
  type HeldPart,
  holdName,
  type IdempotencyKey,
  type Reserve,
  type ReserveOutcome,
  type SoldLine,
} from "../domain/commands.ts"
import { AttemptId, type ProductId, type Shard } from "../domain/ids.ts"
import type { RequestedLine } from "../domain/order.ts"
import type { OrderRefusal } from "../domain/refusals.ts"
import { type CoordinatedOutcome, heard } from "./askedOrders.ts"
import { Inventory } from "./Inventory.ts"
import { Busy, type CommandError } from "./shard/mailboxEntry.ts"
import { ShardDirectory } from "./ShardDirectory.ts"
import { nothingAsked, ShardStore } from "./store/ShardStore.ts"

/** An order as its caller asked for it: every line, whichever shard it belongs to. */
export interface OrderRequest extends Omit<Reserve, "_tag" | "held"> {
  /**
   * What its holds are named by. The fingerprint itself, unless the same request may ask for other lines the next time,
   * as a checkout may: a hold that an earlier attempt left must be of these lines.
   */
  readonly holdFingerprint: string
}

export class OrderCoordinator extends Context.Service<
  OrderCoordinator,
  {
    /** `deadlineMillis` as in `ShardActor.submit`. An order over one shard is given up by interruption while it waits. */
    readonly place: (request: OrderRequest, deadlineMillis: number) => Effect.Effect<CoordinatedOutcome, CommandError>
    /**
     * Places an order of what one hold of its own shard holds, and of nothing else. `HoldMissing`: the hold was gone, its
     * time over, or the order is there under another key.
     */
    readonly placeHeld: (
      request: Omit<OrderRequest, "lines" | "cartVersion" | "expectedTotal" | "holdFingerprint">,
      part: HeldPart & { readonly lines: ReadonlyArray<SoldLine> },
      deadlineMillis: number,
    ) => Effect.Effect<CoordinatedOutcome | Extract<ReserveOutcome, { readonly _tag: "HoldMissing" }>, CommandError>
  }
>()("hedonify/inventory/OrderCoordinator") {
  static readonly layer = Layer.effect(
    OrderCoordinator,
    Effect.suspend(() => make),
  )
}

/** A request that retries may join. */
interface InFlight {
  readonly answer: Deferred.Deferred<CoordinatedOutcome, CommandError>
  /** How often it has asked a shard. */
  submits: number
}

const make = Effect.gen(function* () {
  const inventory = yield* Inventory
  const store = yield* ShardStore
  const directory = yield* ShardDirectory
  const random = yield* SecureRandom.SecureRandom
  const scope = yield* Effect.scope
  const inFlight = new Map<string, InFlight>()

  const submitHome = Effect.fnUntraced(function* (homeShard: Shard, command: Reserve, deadlineMillis: number) {
    const outcome = yield* inventory.submit(homeShard, command, deadlineMillis)
    if (outcome._tag === "HoldMissing") return yield* new Busy()
    return outcome._tag === "Accepted" ? { ...outcome, homeShard } : outcome
  })

  /** What the key is known for, if anything: the order, or a refusal of another payload. */
  const known = Effect.fnUntraced(function* (homeShard: Shard, { caller, fingerprint, key }: IdempotencyKey) {
    const { orders } = yield* store
      .facts(homeShard, { ...nothingAsked, orderKeys: [{ caller, key }] })
      .pipe(Effect.mapError(() => new Busy()))
    const [order] = orders
    if (order === undefined) return null
    return order.fingerprint === fingerprint
      ? ({ _tag: "Repeated", orderId: order.orderId } as const)
      : refused({ code: "idempotency_key_reused" })
  })

  /**
   * Gives back what this attempt holds, behind whatever is under way and with time of its own, and waits for it while
   * the order still has time: who is told no finds everything as it was.
   */
  const release = Effect.fnUntraced(function* (
    request: OrderRequest,
    attempt: AttemptId,
    holds: ReadonlyMap<Shard, ReadonlyArray<ProductId>>,
    patienceEndsMillis: number,
  ) {
    const nowMillis = yield* Clock.currentTimeMillis
    const deadlineMillis = nowMillis + orderDeadlineDefaultMillis
    const { caller, holdFingerprint: fingerprint, key } = request
    const releasing = yield* Effect.forEach(
      holds,
      ([shard, productIds]) => {
        const command = { _tag: "Release", caller, fingerprint, key, attempt, productIds, onlyExpired: false } as const
        return Effect.option(inventory.submit(shard, command, deadlineMillis))
      },
      { concurrency: "unbounded", discard: true },
    ).pipe(Effect.forkIn(scope))
    yield* Effect.timeoutOption(Fiber.await(releasing), Math.max(0, patienceEndsMillis - nowMillis))
  })

  const across = Effect.fnUntraced(function* (
    request: OrderRequest,
    homeShard: Shard,
    shards: ReadonlyMap<Shard, ReadonlyArray<RequestedLine>>,
    deadlineMillis: number,
    /** Told before a shard is asked. */
    onSubmit: () => void,
  ): Effect.fn.Return<CoordinatedOutcome, CommandError> {
    const attempt = AttemptId.make(yield* random.uuidV7())
    const earlier = yield* known(homeShard, request)
    if (earlier !== null) return earlier
    const parts: Array<HeldPart & { readonly lines: ReadonlyArray<SoldLine> }> = []
    const holds = new Map<Shard, ReadonlyArray<ProductId>>()
    const letGo = Effect.suspend(() => release(request, attempt, holds, deadlineMillis))

    const others = [...shards.keys()].filter((shard) => shard !== homeShard).sort((left, right) => right - left)
    for (const shard of others) {
      const lines = shards.get(shard) ?? []
      const { caller, customer, holdFingerprint: fingerprint, key } = request
      const command = { _tag: "Hold", caller, customer, fingerprint, key, attempt, lines, holdTtlMillis } as const
      const productIds = lines.map((line) => line.productId)
      onSubmit()
      const outcome = yield* inventory.submit(shard, command, deadlineMillis).pipe(
        Effect.catchTag("OutcomeUnknown", () => {
          // The hold may be made yet: whatever comes of it, its release stands behind it in the same mailbox.
          holds.set(shard, productIds)
          return Effect.fail(new Busy())
        }),
        Effect.tapError(() => letGo),
      )
      if (outcome._tag === "Held") {
        holds.set(shard, productIds)
        const { currency, lines: held, reservationTtlSeconds } = outcome
        parts.push({ shard, attempt, key, fingerprint, currency, lines: held, reservationTtlSeconds })
        continue
      }
      yield* letGo
      if (outcome._tag === "Superseded") return yield* new Busy()
      return (yield* known(homeShard, request)) ?? outcome
    }

    const command = { ...request, _tag: "Reserve", lines: shards.get(homeShard) ?? [], held: parts } as const
    onSubmit()
    const outcome = yield* submitHome(homeShard, command, deadlineMillis).pipe(
      // After an unknown outcome the order may still consume its holds; the sweeper takes back what it did not.
      Effect.tapError((error) => (error._tag === "OutcomeUnknown" ? Effect.void : letGo)),
    )
    if (outcome._tag !== "Accepted") {
      yield* letGo
      return outcome
    }
    return { ...outcome, lines: [...outcome.lines, ...parts.flatMap((part) => part.lines)] }
  })

  /**
   * Runs once however many callers bring the same request, and goes on when all of them have hung up. Between its
   * place in the map and its start nobody may hang up: a request that never starts would keep its key for ever. Whoever
   * joins hears of a refusal only if a shard was asked after that: what was decided before is of a time before it came.
   */
  const joined = (name: string, run: (onSubmit: () => void) => Effect.Effect<CoordinatedOutcome, CommandError>) =>
    Effect.uninterruptibleMask((hangUp) =>
      Effect.gen(function* (): Effect.fn.Return<CoordinatedOutcome, CommandError> {
        for (let running = inFlight.get(name); running !== undefined; running = inFlight.get(name)) {
          const { submits } = running
          const outcome = yield* hangUp(Deferred.await(running.answer))
          if (outcome._tag === "Accepted") return { _tag: "Repeated", orderId: outcome.orderId }
          if (outcome._tag === "Repeated" || running.submits > submits) return outcome
        }
        if (inFlight.size >= coordinatedOrdersMax) return yield* new Busy()
        const begun: InFlight = { answer: Deferred.makeUnsafe(), submits: 0 }
        inFlight.set(name, begun)
        const conclude = (exit: Exit.Exit<CoordinatedOutcome, CommandError>) => {
          inFlight.delete(name)
          return Deferred.done(begun.answer, exit)
        }
        const onSubmit = () => {
          begun.submits += 1
        }
        yield* run(onSubmit).pipe(Effect.onExit(conclude), Effect.forkIn(scope))
        return yield* hangUp(Deferred.await(begun.answer))
      }),
    )

  const place = Effect.fnUntraced(function* (
    request: OrderRequest,
    deadlineMillis: number,
  ): Effect.fn.Return<CoordinatedOutcome, CommandError> {
    const places = yield* directory
      .shardsOf(request.lines.map((line) => line.productId))
      .pipe(Effect.mapError(() => new Busy()))
    const unknown = request.lines.flatMap(({ productId }) => (places.has(productId) ? [] : [productId]))
    const shards = linesByShard(request.lines, places)
    const [homeShard = 0] = [...shards.keys()].sort((left, right) => left - right)
    if (unknown.length > 0) {
      return (yield* known(homeShard, request)) ?? refused({ code: "unknown_product", productIds: unknown })
    }
    if (shards.size > 1) {
      return yield* joined(holdName(request), (onSubmit) =>
        across(request, homeShard, shards, deadlineMillis, onSubmit),
      )
    }
    return yield* submitHome(homeShard, { ...request, _tag: "Reserve", held: [] }, deadlineMillis)
  })
  const placeHeld: OrderCoordinator["Service"]["placeHeld"] = Effect.fnUntraced(
    function* (request, part, deadlineMillis) {
      const asked = { ...request, _tag: "Reserve", lines: [], cartVersion: null, expectedTotal: null } as const
      const outcome = yield* inventory.submit(part.shard, { ...asked, held: [part] }, deadlineMillis)
      return outcome._tag === "Accepted" ? { ...outcome, homeShard: part.shard, lines: part.lines } : outcome
    },
  )
  return OrderCoordinator.of({
    place: (request, deadlineMillis) => heard(place(request, deadlineMillis)),
    placeHeld: (request, part, deadlineMillis) => heard(placeHeld(request, part, deadlineMillis)),
  })
})

const refused = (refusal: OrderRefusal): CoordinatedOutcome => ({ _tag: "Refused", refusal })

const linesByShard = (
  lines: ReadonlyArray<RequestedLine>,
  places: ReadonlyMap<ProductId, Shard>,
): ReadonlyMap<Shard, ReadonlyArray<RequestedLine>> => {
  const shards = new Map<Shard, Array<RequestedLine>>()
  for (const line of lines) {
    const shard = places.get(line.productId)
    if (shard === undefined) continue
    const group = shards.get(shard)
    if (group === undefined) shards.set(shard, [line])
    else group.push(line)
  }
  return shards
}
