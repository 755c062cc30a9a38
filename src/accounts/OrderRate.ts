/**
 * How many orders an account may place a second (HEDONIFY_ORDERS_PER_SECOND). Must stay true: where nothing is limited
 * it costs nothing; where it is, an account gets its number over all processes that share a Redis, and never more than
 * that from each of them without one. A repeat counts like any other order, since only placing it tells it is one.
 */
import { Context, Effect, Layer, Option } from "effect"
import type { CallerId } from "../domain/ids.ts"
import type { Grant } from "../platform/redis/localBuckets.ts"
import { TokenBuckets } from "../platform/redis/TokenBuckets.ts"
import { limitedCallersMax } from "./accountBounds.ts"
import { tooManyRequests, type TooManyRequests } from "./accountRefusals.ts"

export class OrderRate extends Context.Service<
  OrderRate,
  {
    /** One order, or none: the failure says in how many milliseconds there is one, and has taken nothing. */
    readonly take: (caller: CallerId) => Effect.Effect<void, TooManyRequests>
    /**
     * Takes as many of `count` orders as the caller may place now. None is given back where they are not placed. The wait
     * is until there is one more, 0 where all were granted; never fails.
     */
    readonly takeUpTo: (caller: CallerId, count: number) => Effect.Effect<Grant>
  }
>()("hedonify/accounts/OrderRate") {
  static readonly layer = ({ ordersPerSecond }: { readonly ordersPerSecond: Option.Option<number> }) =>
    Option.match(ordersPerSecond, {
      onNone: () => OrderRate.layerUnlimited,
      onSome: (limit) => Layer.effect(OrderRate, Effect.map(TokenBuckets, limited(limit))),
    })

  static readonly layerUnlimited = Layer.succeed(
    OrderRate,
    OrderRate.of({ take: () => Effect.void, takeUpTo: (_, granted) => Effect.succeed({ granted, waitMillis: 0 }) }),
  )
}

const limited = (ordersPerSecond: number) => (tokenBuckets: TokenBuckets["Service"]) => {
  const buckets = tokenBuckets.make({
    purpose: "orders",
    burst: ordersPerSecond,
    refillMillis: 1_000 / ordersPerSecond,
    bucketsMax: limitedCallersMax,
  })
  return OrderRate.of({
    take: (caller) =>
      Effect.flatMap(buckets.takeUpTo(caller, 1), ({ granted, waitMillis }) =>
        granted === 1 ? Effect.void : Effect.fail(tooManyRequests(waitMillis)),
      ),
    takeUpTo: buckets.takeUpTo,
  })
}
