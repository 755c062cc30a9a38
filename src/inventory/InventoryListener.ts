/**
 * What the writers and the coordinator tell of their work, for whoever measures it. Nobody listens unless the
 * composition root says who; a listener must neither wait nor fail, since it is called between a commit and its answers.
 */
import { Context } from "effect"
import type { PlannedWrite } from "../domain/batch.ts"
import type { Command } from "../domain/commands.ts"
import type { ProductId, Shard } from "../domain/ids.ts"
import type { RequestedLine } from "../domain/order.ts"
import type { Reply } from "./shard/mailboxEntry.ts"
import type { Applied } from "./store/ShardStore.ts"

/** Why commands were planned more than once: keys became known, one of them fails its batch, or a commit found more. */
export type PlannedAgain = "facts" | "halved" | "surprise"
export type UnknownSettled = "applied" | "voided" | "fenced"

export interface AskedOrder {
  readonly outcome: "accepted" | "repeated" | "refused" | "busy" | "unknown" | "failed"
  /** The code of a refusal; "none" for everything else. */
  readonly reason: string
  readonly seconds: number
  /** What was sold, where it was accepted. */
  readonly sold: ReadonlyArray<RequestedLine>
  /** Of a trace that is sure to be kept. */
  readonly traceId: string | null
}

export interface InventoryListener {
  readonly refusedFull: (shard: Shard) => void
  readonly late: (shard: Shard) => void
  /** A command left the mailbox for a batch. */
  readonly waited: (seconds: number) => void
  readonly batched: (commands: number, seconds: number) => void
  readonly decided: (command: Command["_tag"], answer: Reply["_tag"]) => void
  readonly committed: (seconds: number) => void
  readonly applied: (write: PlannedWrite, result: Applied) => void
  readonly plannedAgain: (reason: PlannedAgain) => void
  readonly settledUnknown: (as: UnknownSettled) => void
  readonly fenced: (shard: Shard) => void
  readonly asked: (order: AskedOrder) => void
}

const nothing = (): void => {}

export const silent: InventoryListener = {
  refusedFull: nothing,
  late: nothing,
  waited: nothing,
  batched: nothing,
  decided: nothing,
  committed: nothing,
  applied: nothing,
  plannedAgain: nothing,
  settledUnknown: nothing,
  fenced: nothing,
  asked: nothing,
}

export const InventoryListener = Context.Reference<InventoryListener>("hedonify/inventory/InventoryListener", {
  defaultValue: () => silent,
})

/** A product that a writer has in memory. */
export interface LoadedProduct {
  readonly productId: ProductId
  readonly name: string
  readonly stocked: number
  readonly available: number
}
