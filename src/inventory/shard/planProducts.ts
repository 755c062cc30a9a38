/**
 * The part of the planner that decides about products: movements of their stock and edits of their data.
 */
import { productUnitsMax } from "../../domain/bounds.ts"
import { type Amend, keyName, type Restock } from "../../domain/commands.ts"
import type { AmendRefusal, MovementRefusal } from "../../domain/refusals.ts"
import { type Decision, type Draft, later } from "./draft.ts"

export const decideRestock = (draft: Draft, command: Restock, at: number): Decision | typeof later => {
  const name = keyName(command)
  const known = draft.facts.movements.get(name)
  if (known !== undefined) {
    return known.fingerprint === command.fingerprint
      ? { _tag: "Answered", outcome: { _tag: "Repeated", movementId: known.movementId } }
      : refuseMovement({ code: "idempotency_key_reused" })
  }
  const same = draft.movementKeys.get(name)
  if (same !== undefined) return { _tag: "Same", as: same }

  const { delta, productId } = command
  const product = draft.products.get(productId)
  if (product === undefined) return refuseMovement({ code: "unknown_product", productIds: [productId] })
  const stocked = (draft.stocked.get(productId) ?? product.stocked) + delta
  if (stocked > productUnitsMax) return refuseMovement({ code: "stock_too_large", productId, stocked: stocked - delta })
  const available = draft.available.get(productId) ?? product.available
  if (delta < 0 && available + delta < 0) {
    return draft.gains.has(productId) ? later : refuseMovement({ code: "stock_is_sold", productId, available })
  }
  draft.stocked.set(productId, stocked)
  if (delta < 0) draft.available.set(productId, available + delta)
  else draft.gains.add(productId)
  draft.movementKeys.set(name, at)
  draft.movements.push(command)
  return { _tag: "Movement", movement: draft.movements.length - 1 }
}

export const decideAmend = (draft: Draft, { change, expectedVersion, productId }: Amend): Decision | typeof later => {
  if (draft.amended.has(productId)) return later
  const product = draft.products.get(productId)
  if (product === undefined) return refuseAmend({ code: "unknown_product", productIds: [productId] })
  const { currency, version } = product
  const isArchival = change.archived === true && Object.keys(change).length === 1
  if (isArchival && product.archived) return { _tag: "Answered", outcome: { _tag: "Amended", version } }
  if (expectedVersion !== null && expectedVersion !== version) return refuseAmend({ code: "version_mismatch", version })
  if (change.price !== undefined && change.price.currency !== currency) {
    return refuseAmend({ code: "currency_fixed", currency })
  }
  draft.amended.add(productId)
  draft.amendments.push({ productId, change, version })
  return { _tag: "Amendment", amendment: draft.amendments.length - 1 }
}

const refuseMovement = (refusal: MovementRefusal): Decision => ({
  _tag: "Answered",
  outcome: { _tag: "Refused", refusal },
})

const refuseAmend = (refusal: AmendRefusal): Decision => ({ _tag: "Answered", outcome: { _tag: "Refused", refusal } })
