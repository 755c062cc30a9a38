/**
 * What a batch has moved so far on its way through the tables: stock and units, gathered so that each row is put once.
 */
import { type Customer, unitsName } from "../../domain/commands.ts"
import type { BatchWrite } from "../../domain/batch.ts"
import type { ProductId } from "../../domain/ids.ts"
import type { MemoryTables } from "./memoryTables.ts"

/** One batch on its way through the tables. */
export interface Progress {
  readonly tables: MemoryTables
  readonly write: BatchWrite
  readonly atMillis: number
  readonly available: Map<ProductId, number>
  readonly stocked: Map<ProductId, number>
  readonly units: Map<string, UnitChange>
}

interface UnitChange {
  readonly productId: ProductId
  readonly customer: Customer
  readonly units: number
  /** What a count that is not there yet starts from; null where nothing counted was taken. */
  readonly before: number | null
}

export const add = (deltas: Map<ProductId, number>, productId: ProductId, delta: number): void => {
  deltas.set(productId, (deltas.get(productId) ?? 0) + delta)
}

export const addUnits = (
  deltas: Progress["units"],
  productId: ProductId,
  customer: Customer,
  delta: number,
  before: number | null,
): void => {
  const name = unitsName(productId, customer)
  const earlier = deltas.get(name)
  deltas.set(name, {
    productId,
    customer,
    units: (earlier?.units ?? 0) + delta,
    before: before ?? earlier?.before ?? null,
  })
}
