/**
 * Where commands of one batch meet: what the earlier ones may give back, and what they leave open for a later one until
 * they are written.
 */
import { type Command, holdName, unitsName } from "../../src/domain/commands.ts"
import type { ProductId } from "../../src/domain/ids.ts"
import type { Plan } from "../../src/inventory/shard/planner.ts"
import { here, productOf, type World } from "./referenceWorld.ts"

/** Products that these commands may give units back to, whether or not they really do. */
export const productsGivenTo = (batch: ReadonlyArray<Command>): ReadonlySet<ProductId> =>
  new Set(
    batch.flatMap((command) => {
      if (command._tag === "Release") return command.productIds
      if (command._tag === "Return" || (command._tag === "Restock" && command.delta >= 0)) return [command.productId]
      if (command._tag !== "Cancel" && command._tag !== "Expire" && command._tag !== "Refund") return []
      return command.lines.flatMap((line) => (line.shard === here ? [line.productId] : []))
    }),
  )

/** The holds that a command makes, prolongs, gives back or sells. */
const holdsOf = (command: Command): ReadonlyArray<string> => {
  if (command._tag === "Hold" || command._tag === "Release") return [holdName(command)]
  if (command._tag !== "Reserve") return []
  const { caller } = command
  return command.held.map(({ fingerprint, key }) => holdName({ caller, fingerprint, key }))
}

/** Whether the commands before it leave nothing to decide this one on until they are written. */
export const meetsItself = (world: World, before: ReadonlyArray<Command>, { write }: Plan, next: Command): boolean => {
  const refreshed = new Set(before.flatMap((other) => (other._tag === "Refresh" ? [other.merchantId] : [])))
  const edited = new Set(write.amendments.map((amendment) => amendment.productId))
  const isOpen = (productId: ProductId): boolean => {
    const merchantId = productOf(world, productId)?.merchantId
    return edited.has(productId) || (merchantId !== undefined && refreshed.has(merchantId))
  }
  const holds = new Set(before.flatMap(holdsOf))
  const meetsHold = holdsOf(next).some((name) => holds.has(name))
  const asksFor = (_tag: "Join" | "Leave" | "Offer", productId: ProductId): boolean =>
    before.some((other) => other._tag === _tag && other.productId === productId)
  const placesTaken = [...write.joins, ...write.leaves].map((place) => unitsName(place.productId, place.accountId))
  switch (next._tag) {
    case "Reserve": {
      const soldCarts = write.orders.filter(({ command }) => command.cartVersion !== null)
      const sellsCartAgain = soldCarts.some(({ command }) => command.caller === next.caller)
      const isCartOpen = next.cartVersion !== null && sellsCartAgain
      return isCartOpen || meetsHold || next.lines.some((line) => isOpen(line.productId))
    }
    case "Hold":
      return meetsHold || next.lines.some((line) => isOpen(line.productId))
    case "Release":
      return meetsHold
    case "Cancel":
    case "Expire":
    case "Refund":
    case "Extend":
    case "Pay":
    case "Ship":
    case "Deliver": {
      const changed = [
        ...write.endings,
        ...write.payments,
        ...write.settlements,
        ...write.shipments,
        ...write.deliveries,
      ]
      const sharesKey = ({ caller, key }: (typeof write.payments)[number]): boolean =>
        next._tag === "Extend" && caller === next.caller && key === next.key
      return changed.some(({ orderId }) => orderId === next.orderId) || write.payments.some(sharesKey)
    }
    case "Amend":
      return edited.has(next.productId)
    case "Join":
    case "Leave": {
      const isTaken = placesTaken.includes(unitsName(next.productId, next.accountId))
      const isOffered = asksFor("Offer", next.productId)
      return isTaken || isOffered || (next._tag === "Join" && isOpen(next.productId))
    }
    case "Offer": {
      const isChanging = asksFor("Join", next.productId) || productsGivenTo(before).has(next.productId)
      return isChanging || isOpen(next.productId)
    }
    default:
      return false
  }
}
