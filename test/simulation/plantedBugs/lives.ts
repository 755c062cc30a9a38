/**
 * Bugs of what follows a reservation: payments and their money, shipments, waiting lists and offers, in the statement's
 * model, in the planner and in what the shard remembers.
 */
import {
  inBatch,
  inCommit,
  inMemoryLives,
  inMemoryWaitingLists,
  inOutcomesOfLives,
  inPlanLives,
  inPlanOrders,
  inPlanWaitingLists,
  inPreparation,
  inReads,
  inState,
  inSweeper,
  type PlantedBug,
} from "./planting.ts"

const paymentBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "an order paid after its time",
    patches: [
      inMemoryLives(
        `order.status === "reserved" && order.expiresAtMillis > atMillis\n  const status`,
        `order.status === "reserved"\n  const status`,
      ),
    ],
  },
  {
    name: "a payment begun after its order's time",
    patches: [
      inMemoryLives(
        `if (order.status !== "reserved" || order.expiresAtMillis <= atMillis) return null`,
        `if (order.status !== "reserved") return null`,
      ),
    ],
  },
  {
    name: "a charge settled twice",
    patches: [
      inMemoryLives(
        `if (payment.status !== (result._tag === "Refunded" ? "refunding" : "processing")) return null`,
        `if (payment.status === "declined" || payment.status === "refunded") return null`,
      ),
    ],
  },
  {
    name: "money that came for an order that is gone kept",
    patches: [
      inMemoryLives(
        `const status = result._tag === "Refunded" ? "refunded" : isPaid ? "succeeded" : "refunding"`,
        `const status = result._tag === "Refunded" ? "refunded" : "succeeded"`,
      ),
    ],
  },
  {
    name: "money that came for an order that is gone never looked at again",
    patches: [
      inMemoryLives(
        "  const settled = { ...payment, status, settledAtMillis } as const",
        `  if (status === "refunding") return null\n  const settled = { ...payment, status, settledAtMillis } as const`,
      ),
    ],
  },
  {
    name: "a refund of an order of whatever status",
    patches: [
      inCommit(
        `if (order.status === "paid") return wanted`,
        `if (order.status !== "reserved" && wanted !== "expired") return wanted`,
      ),
    ],
  },
  {
    name: "an order refunded after it was shipped",
    patches: [
      inCommit(
        `if (order.status === "paid") return wanted`,
        `if (order.status === "paid" || order.status === "shipped") return wanted`,
      ),
    ],
  },
  {
    name: "the money forgotten of a paid order that is cancelled",
    patches: [
      inMemoryLives(
        `if (status !== "refunded") continue`,
        `if (status !== "refunded" || write.endings.some((one) => one.orderId === orderId && one.status === "cancelled")) continue`,
      ),
    ],
  },
  {
    name: "money asked back from the provider that was paid elsewhere",
    patches: [inMemoryLives(`payment.method === "external" ? "refunded" : "refunding"`, `"refunding"`)],
  },
  {
    name: "more time at every payment",
    patches: [inMemoryLives("else if (earlier.length === 0) {", "else {")],
  },
  {
    name: "two payments of one order at once",
    patches: [inMemoryLives("earlier.some(({ status }) => holdsMoney(status)) || tables", "tables")],
  },
  {
    name: "one payment's success told of another order",
    patches: [inMemoryLives("if (payment?.orderId !== orderId || order", "if (payment === undefined || order")],
  },
  {
    name: "two changes of one order in one batch",
    patches: [
      inPlanLives(
        "  if (draft.changed.has(command.orderId)) return later\n  draft.changed.set(command.orderId, { at, ending: null })\n  draft.settlements",
        "  draft.changed.set(command.orderId, { at, ending: null })\n  draft.settlements",
      ),
    ],
  },
  {
    name: "a payment key used for another order answered as a repeat",
    patches: [inOutcomesOfLives("if (known.fingerprint === fingerprint) return", "if (known !== undefined) return")],
  },
  {
    name: "a payment under way told as if the order were paid",
    patches: [inOutcomesOfLives(`if (status === "reserved") return { code: "payment_in_progress" }`, "")],
  },
]

const shipmentBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "shipped by a merchant who sells nothing in it",
    patches: [inMemoryLives("|| !sellers.has(merchantId) || isSent", "|| isSent")],
  },
  {
    name: "shipped as a whole with the first part",
    patches: [inMemoryLives("earlier.length + 1 === sellers.size ?", "earlier.length >= 0 ?")],
  },
  {
    name: "delivered with the first part that arrives",
    patches: [
      inMemoryLives(`if (order.status !== "shipped" || !isLast) continue`, `if (order.status !== "shipped") continue`),
    ],
  },
  {
    name: "one part shipped twice",
    patches: [
      inMemoryLives("|| isSent) {", ") {"),
      inMemoryLives(
        "tables.shipments.insert({ ...shipment, createdAtMillis",
        "tables.shipments.put({ ...shipment, createdAtMillis",
      ),
    ],
  },
]

const waitingBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "offered to who waits least long",
    patches: [
      inReads(".toSorted(inOrder)\n      .slice", ".toSorted((one, other) => inOrder(other, one))\n      .slice"),
    ],
  },
  {
    name: "offered to the first of the list, or to nobody",
    patches: [
      inReads(
        ".filter((row) => row.shard === shard && row.productId === productId && row.quantity <= available)\n      .toSorted(inOrder)",
        ".filter((row) => row.shard === shard && row.productId === productId)\n      .toSorted(inOrder)\n      .slice(0, 1)\n      .filter((row) => row.quantity <= available)",
      ),
    ],
  },
  {
    name: "offered, and still on the list",
    patches: [inMemoryWaitingLists("  tables.waitingList.remove(place)\n  tables.holds", "  tables.holds")],
  },
  {
    name: "offered without taking the units",
    patches: [inMemoryWaitingLists("  add(available, productId, -quantity)\n", "")],
  },
  {
    name: "orders decided before the offers of their batch",
    patches: [inPreparation("[...offersBefore(run), ...run.entries]", "[...run.entries, ...offersBefore(run)]")],
  },
  {
    name: "what comes back not kept for who waits",
    patches: [
      inState("if (product.mayHaveWaiters && available > 0 && planned === undefined) this.toOffer.add(productId)", ""),
    ],
  },
  {
    name: "what comes back beside an offer of as much not kept for who waits",
    patches: [inState("available > 0 && planned === undefined", "available > product.available")],
  },
  {
    name: "who waited before the shard changed hands not remembered",
    patches: [inState("if (mayHaveWaiters && available > 0) this.toOffer.add(productId)", "void mayHaveWaiters")],
  },
  {
    name: "who begins to wait while there is enough passed by",
    patches: [inState("      if (product.available > 0) this.toOffer.add(productId)\n", "")],
  },
  {
    name: "offers that nobody asks for never made",
    patches: [
      inSweeper(
        "store.productsToOffer(shard, sweepSizeMax),",
        "Effect.as(store.productsToOffer(shard, sweepSizeMax), []),",
      ),
    ],
  },
  {
    name: "what was declined sold to the next who comes",
    patches: [
      inBatch(
        "  run.state.markWaiting(joins.map",
        "  for (const release of planned.write.releases) {\n    if (!release.onlyExpired) for (const productId of release.productIds) run.state.toOffer.delete(productId)\n  }\n  run.state.markWaiting(joins.map",
      ),
    ],
  },
  {
    name: "an offer accepted after its time",
    patches: [
      inCommit(
        "row.attempt === part.attempt && row.expiresAtMillis > atMillis",
        `row.attempt === part.attempt && (row.kind === "offer" || row.expiresAtMillis > atMillis)`,
      ),
    ],
  },
  {
    name: "an offer lapsed before its time",
    patches: [
      inCommit(
        "(command.onlyExpired && row.expiresAtMillis > atMillis)",
        `(command.onlyExpired && row.expiresAtMillis > atMillis + (row.kind === "offer" ? 40 : 0))`,
      ),
      inReads(
        ".filter((row) => row.shard === shard && row.expiresAtMillis <= atMillis)",
        `.filter((row) => row.shard === shard && row.expiresAtMillis <= atMillis + (row.kind === "offer" ? 40 : 0))`,
      ),
    ],
  },
  {
    name: "one offer sold to two keys by one batch",
    patches: [inPlanOrders("  if (holds.some((hold) => draft.holdNames.has(hold))) return later\n", "")],
  },
  {
    name: "an offer sold and given back by one batch",
    patches: [inPlanOrders("  for (const hold of holds) draft.holdNames.add(hold)\n", "")],
  },
  {
    name: "the place kept with another quantity",
    patches: [
      inMemoryWaitingLists(
        "offerId: earlier?.offerId ?? place.offerId, shard, batch, number }",
        "offerId: earlier?.offerId ?? place.offerId, shard, batch: earlier?.batch ?? batch, number: earlier?.number ?? number }",
      ),
    ],
  },
  {
    name: "the place lost by the same wish said again",
    patches: [inMemoryWaitingLists("if (earlier?.quantity === place.quantity) return []", "")],
  },
  {
    name: "offered more than a customer may have",
    patches: [
      inPlanWaitingLists(
        "if (product.limitPerCustomer !== null && had + quantity > product.limitPerCustomer) {",
        "if (product.limitPerCustomer !== null && had + quantity > product.limitPerCustomer + 1) {",
      ),
    ],
  },
  {
    name: "what is paused offered",
    patches: [
      inPlanWaitingLists(
        "product.waitlist && !product.paused && !product.archived",
        "product.waitlist && !product.archived",
      ),
    ],
  },
  {
    name: "offered where there is no list any more",
    patches: [
      inPlanWaitingLists(
        "product.waitlist && !product.paused && !product.archived",
        "!product.paused && !product.archived",
      ),
    ],
  },
  {
    name: "who leaves in a batch offered by it all the same",
    patches: [
      inPlanWaitingLists(
        "if (draft.offered.has(command.productId) || draft.places.has(place)) return later",
        "if (draft.places.has(place)) return later",
      ),
    ],
  },
  {
    name: "who waits counted against the limit with what was before an offer",
    patches: [
      inPlanWaitingLists(
        "if (product.countsUnits) draft.units.set(name, had + quantity)",
        "if (product.countsUnits) draft.units.set(name, had)",
      ),
    ],
  },
]

export const lifeBugs: ReadonlyArray<PlantedBug> = [...paymentBugs, ...shipmentBugs, ...waitingBugs]
