/**
 * Has every shard read a merchant's products anew, once its standing has been committed. Must stay true: it succeeds
 * only when each shard of this process has forgotten, through its mailbox, so that orders behind it see the change; a
 * shard without a lease remembers nothing, and whoever owns it next reads the rows.
 */
import { Clock, Context, Effect, Layer, Schedule } from "effect"
import type { MerchantId } from "../domain/ids.ts"
import { Inventory } from "./Inventory.ts"
import { Busy, type CommandError } from "./shard/mailboxEntry.ts"

/** Between two attempts at a mailbox that is full: about what a batch takes. */
const retryIntervalMillis = 20

export class MerchantRefresh extends Context.Service<
  MerchantRefresh,
  {
    /** Fails within the order deadline where a shard could not be reached; safe to repeat. */
    readonly everywhere: (merchantId: MerchantId) => Effect.Effect<void, CommandError>
  }
>()("hedonify/inventory/MerchantRefresh") {
  static readonly layer = (settings: { readonly orderDeadlineMillis: number }) =>
    Layer.effect(
      MerchantRefresh,
      Effect.gen(function* () {
        const inventory = yield* Inventory
        const everywhere = Effect.fn("MerchantRefresh.everywhere")(function* (merchantId: MerchantId) {
          const deadlineMillis = (yield* Clock.currentTimeMillis) + settings.orderDeadlineMillis
          const command = { _tag: "Refresh" as const, merchantId }
          yield* Effect.forEach(
            inventory.statuses().filter(({ lease }) => lease !== null),
            ({ shard }) =>
              inventory.submit(shard, command, deadlineMillis).pipe(
                Effect.retry({
                  while: (error) => error._tag === "Busy",
                  schedule: Schedule.spaced(retryIntervalMillis),
                }),
              ),
            { concurrency: "unbounded", discard: true },
          ).pipe(
            Effect.timeoutOrElse({ duration: settings.orderDeadlineMillis, orElse: () => Effect.fail(new Busy()) }),
          )
        })
        return MerchantRefresh.of({ everywhere })
      }),
    )
}
