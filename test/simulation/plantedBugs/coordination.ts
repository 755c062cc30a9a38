/**
 * Bugs around the shards: orders over several of them, endings, and what the sweeper brings.
 */
import { inCoordinator, inEnding, inSweeper, type PlantedBug } from "./planting.ts"

export const coordinationBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "a retry refused by its own first attempt",
    patches: [
      inCoordinator("if (earlier !== null) return earlier", "if (earlier === undefined) return earlier"),
      inCoordinator("return (yield* known(homeShard, request)) ?? outcome", "return outcome"),
    ],
  },
  {
    name: "a retry told what was decided before it came",
    patches: [inCoordinator("running.submits > submits", "running.submits >= submits")],
  },
  {
    name: "anybody's order cancelled by anybody",
    patches: [inEnding("order.caller !== caller", `order.caller === ""`)],
  },
  {
    name: "reservations that nobody looks for when they are over",
    patches: [
      inSweeper("pages(store.expiredOrders(shard, sweepSizeMax), (order) => order.orderId, ending.expire),", ""),
    ],
  },
  {
    name: "returns left to nobody",
    patches: [inSweeper("store.pendingReturns(shard, sweepSizeMax),", "Effect.succeed<Array<Return>>([]),")],
  },
]
