/**
 * Bugs of the pure planner: what a batch comes to when its commands are not decided one at a time.
 */
import { inPlanLives, inPlanOrders, inPlanProducts, inPlanner, inReads, inTables, type PlantedBug } from "./planting.ts"

export const planningBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "partial lines kept",
    patches: [
      inPlanOrders(
        "const lines: Array<SaleLine> = []\n  const unknown",
        "const lines: Array<SaleLine> = []\n  if (requested.length > 2) requested = requested.slice(1)\n  const unknown",
      ),
    ],
  },
  {
    name: "units counted for the limit only when the batch ends",
    patches: [
      inPlanOrders(
        "return draft.units.get(name) ?? draft.facts.units.get(name) ?? 0",
        "return draft.facts.units.get(name) ?? 0",
      ),
    ],
  },
  {
    name: "what an order gives back not waited for by the order behind it",
    patches: [inPlanLives("if (line.shard === draft.shard) draft.gains.add(line.productId)", "void line")],
  },
  {
    name: "an edit seen by orders ahead of it",
    patches: [
      inPlanner(
        "  const draft: Draft = {\n    shard,\n    products,",
        `  const edited = new Map(products)
  for (const { change, productId } of batch.filter((command) => command._tag === "Amend")) {
    const product = edited.get(productId)
    if (product !== undefined) edited.set(productId, { ...product, price: change.price?.amount ?? product.price })
  }
  const draft: Draft = {
    shard,
    products: edited,`,
      ),
    ],
  },
  {
    name: "an edit not seen by orders behind it in its batch",
    patches: [inPlanOrders("if (draft.amended.has(productId) || draft.offered", "if (draft.offered")],
  },
  {
    name: "an edit of whatever version",
    patches: [inPlanProducts("expectedVersion !== null && expectedVersion !== version", "expectedVersion === -1")],
  },
  {
    name: "two edits of one product in one batch",
    patches: [inPlanProducts("if (draft.amended.has(productId)) return later", "")],
  },
  {
    // A cancellation that comes too late gives nothing back; the check of the table would have refused the sale.
    name: "returned stock spent by the same batch",
    patches: [
      inReads("[{ productId, shard: product.shard }]", "[{ productId, shard: product.shard, quantity }]"),
      inReads(
        "flatMap(({ productId }) => {\n    const product",
        "flatMap(({ productId, quantity }) => {\n    const product",
      ),
      inPlanLives(
        "  for (const line of lines) if (line.shard === draft.shard) draft.gains.add(line.productId)\n",
        `  for (const { productId, quantity, shard } of lines) {
    const product = draft.products.get(productId)
    if (product === undefined || shard !== draft.shard) continue
    draft.available.set(productId, (draft.available.get(productId) ?? product.available) + quantity)
  }
`,
      ),
      inTables("demand(row.stocked >= 0 && within(row.available, 0, row.stocked)", "demand(row.stocked >= 0"),
    ],
  },
  {
    name: "what a refused order wanted kept from the next",
    patches: [
      inPlanOrders(
        "if (available < quantity) short.push({ productId, requested: quantity, available })",
        `if (available < quantity) short.push({ productId, requested: quantity, available })
    else draft.available.set(productId, available - quantity)`,
      ),
      inPlanOrders(
        "    draft.available.set(productId, (draft.available.get(productId) ?? product.available) - quantity)\n",
        "",
      ),
    ],
  },
  {
    name: "the key of a refused order taken for that of an order",
    patches: [
      inPlanOrders(
        `  if (same !== undefined) return { _tag: "Same", as: same }\n`,
        `  if (same !== undefined) return { _tag: "Same", as: same }\n  draft.orderKeys.set(name, at)\n`,
      ),
    ],
  },
  {
    name: "what a hold gives back not waited for by the order behind it",
    patches: [inPlanner("      for (const productId of command.productIds) draft.gains.add(productId)\n", "")],
  },
  {
    name: "what a delivery brings not waited for by the order behind it",
    patches: [inPlanProducts("else draft.gains.add(productId)\n", "")],
  },
  {
    name: "what is held left out of the total",
    patches: [inPlanOrders(" + command.held.reduce((sum, part) => sum + totalOf(part.lines), 0)", "")],
  },
  {
    name: "sold before its sale",
    patches: [inPlanOrders("saleStartsAtMillis > draft.nowMillis", "saleStartsAtMillis > draft.nowMillis + 60_000")],
  },
  {
    name: "what a return brings not waited for by the order behind it",
    patches: [inPlanner("      draft.gains.add(command.productId)\n", "")],
  },
  {
    name: "sold out told to try again whether or not holds are in the way",
    patches: [
      inPlanOrders(
        "const retryable = short.every((line) =>",
        "const retryable = short.some((line) => line.requested > 0 ||",
      ),
    ],
  },
  {
    name: "sold out never told to try again",
    patches: [
      inPlanOrders(
        "const retryable = short.every((line) =>",
        "const retryable = short.every((line) => line.requested < 0 &&",
      ),
    ],
  },
]
