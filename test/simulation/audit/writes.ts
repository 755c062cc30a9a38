/**
 * What a batch may say at all: PostgreSQL's one statement knows no order of its parts, and each of them sees the rows as
 * they were before it. So a hold, a place or an order is the subject of one command of a batch at most, or which of two
 * wins is for PostgreSQL to choose, and the model of the store would choose for itself.
 */
import assert from "node:assert/strict"
import type { BatchWrite } from "../../../src/domain/batch.ts"
import { holdName, unitsName } from "../../../src/domain/commands.ts"

export const assertEachOnce = (write: BatchWrite): void => {
  const { deliveries, endings, extensions, joins, leaves, offers, orders, payments } = write
  const { releases, settlements, shipments } = write
  const sold = orders.flatMap(({ command: { caller, held } }) => [
    ...new Set(held.map(({ fingerprint, key }) => holdName({ caller, key, fingerprint }))),
  ])
  const holds = [...sold, ...releases.map(holdName), ...extensions.map(({ command }) => holdName(command))]
  const places = [...joins, ...leaves, ...offers].map(({ accountId, productId }) => unitsName(productId, accountId))
  const changed = [endings, payments, settlements, shipments, deliveries].flat().map(({ orderId }) => orderId)
  for (const [what, names] of Object.entries({ hold: holds, place: places, order: changed })) {
    assert.strictEqual(
      new Set(names).size,
      names.length,
      `one batch decides twice about a${what === "order" ? "n" : ""} ${what}`,
    )
  }
}
