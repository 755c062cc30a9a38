/**
 * What PostgreSQL's statement does to waiting lists, written plainly: places given up, taken, and turned into offers.
 */
import type { BatchWrite, OfferWrite } from "../../domain/batch.ts"
import { offerHold, unitsName } from "../../domain/commands.ts"
import { OfferId, type OrderId } from "../../domain/ids.ts"
import { add, addUnits, type Progress } from "./memoryProgress.ts"
import type { BatchEvent, WaiterRow } from "./memoryRows.ts"

export const changeWaitingLists = (
  progress: Progress,
): {
  readonly left: ReadonlyArray<WaiterRow>
  readonly joined: ReadonlyArray<WaiterRow>
  readonly offered: ReadonlyArray<OfferWrite>
} => {
  const { tables, write } = progress
  const { batch, joins, leaves, offers, shard } = write
  const left = leaves.flatMap(({ accountId, productId }) => {
    const row = tables.waitingList.get(unitsName(productId, accountId))
    if (row === undefined || row.shard !== shard) return []
    tables.waitingList.remove(row)
    return [row]
  })
  const joined = joins.flatMap(({ _tag, ...place }, number) => {
    const earlier = tables.waitingList.get(unitsName(place.productId, place.accountId))
    if (earlier?.quantity === place.quantity) return []
    const row = { ...place, offerId: earlier?.offerId ?? place.offerId, shard, batch, number }
    tables.waitingList.put(row)
    return [row]
  })
  return { left, joined, offered: offers.filter((offer) => makeOffer(progress, offer)) }
}

const makeOffer = ({ atMillis, available, tables, units, write }: Progress, offer: OfferWrite): boolean => {
  const { accountId, currency, offerId, productId, quantity, unitPrice, unitsBefore } = offer
  const place = tables.waitingList.get(unitsName(productId, accountId))
  if (place?.offerId !== offerId || place.quantity !== quantity || place.shard !== write.shard) return false
  tables.waitingList.remove(place)
  tables.holds.insert({
    ...offerHold(offerId, accountId),
    shard: write.shard,
    productId,
    quantity,
    unitPrice,
    currency,
    kind: "offer",
    customer: accountId,
    expiresAtMillis: atMillis + write.offerTtlMillis,
  })
  add(available, productId, -quantity)
  if (unitsBefore !== null) addUnits(units, productId, accountId, quantity, unitsBefore)
  return true
}

/** What the log tells of offers whose orders were placed. */
export const acceptedOffers = ({ orders }: BatchWrite, placed: ReadonlyArray<OrderId>): ReadonlyArray<BatchEvent> =>
  orders.flatMap(({ command: { held, orderId } }) =>
    held.flatMap(({ attempt, key, lines }) => {
      if (key !== `offer/${attempt}` || !placed.includes(orderId)) return []
      return lines.map(({ productId }) => {
        return { type: "offer.accepted", productId, offerId: OfferId.make(attempt), orderId } as const
      })
    }),
  )
