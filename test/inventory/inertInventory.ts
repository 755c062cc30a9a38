/** An inventory that does nothing but what a test gives it to do. */
import { Effect } from "effect"
import type { Inventory } from "../../src/inventory/Inventory.ts"

type Methods = Inventory["Service"]

export const inertInventory = (does: Pick<Methods, "submit"> & Partial<Methods>): Methods => ({
  grant: () => {},
  revoke: () => {},
  onFenced: () => {},
  drain: Effect.void,
  products: () => [],
  statuses: () => [],
  ...does,
})
