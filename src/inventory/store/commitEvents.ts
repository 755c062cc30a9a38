/**
 * What a batch writes into the event log: one event for each change that came to pass, in the batch's own row. Must stay
 * true: an event is told exactly where the row it tells of was written; where that is sure beforehand, the events are a
 * parameter, since building them in SQL costs a tenth of a batch of plain orders.
 */
import { PgTypes } from "@effect/sql-pg"
import type { BatchWrite } from "../../domain/batch.ts"
import type { SqlParameters } from "./sqlParameters.ts"

/** An expression of type json. */
export const batchEvents = (parameters: SqlParameters, write: BatchWrite, isConditional: boolean): string => {
  const sources = sourcesOf(write)
  const isSure =
    sources.length === 0 || (!isConditional && sources.every(([name]) => name === "placed" || name === "moved"))
  if (isSure) return `${parameters.add(PgTypes.json(eventsPlanned(write)))}::json`
  const selects = sources.map(([, select]) => select)
  return `coalesce((select json_agg(event) from (${selects.join(" union all ")}) as happened), '[]'::json)`
}

const eventsPlanned = (write: BatchWrite): ReadonlyArray<object> => [
  ...write.orders.map(({ command }) => ({ type: "order.reserved", orderId: command.orderId })),
  ...write.movements.map(({ movementId }) => ({ type: "stock.moved", movementId })),
]

/** Whether money goes back for orders of this batch that end. */
export const mayReimburse = ({ endings }: BatchWrite): boolean => endings.some(({ status }) => status !== "expired")

/** Each part of the statement that has something to tell, with what it tells. */
const sourcesOf = (write: BatchWrite): ReadonlyArray<readonly [string, string]> => {
  const event = (type: string, fields: string): string =>
    `select json_build_object('type', ${type}, ${fields}) as event`
  const order = "'orderId', id"
  const payment = "'orderId', order_id, 'paymentId', id"
  const shipment = "'orderId', order_id, 'shipmentId', id"
  const offer = "'productId', product_id, 'offerId', id"
  const released = "'productId', product_id, 'offerId', attempt"
  const sources: Array<readonly [boolean, string, string]> = [
    [write.orders.length > 0, "placed", `${event("'order.reserved'", order)} from placed`],
    [
      write.orders.some(({ command }) => command.held.some((part) => isOfferKey(part.key))),
      "consumed",
      `${event("'offer.accepted'", `${released}, 'orderId', order_id`)} from consumed where kind = 'offer'`,
    ],
    [write.endings.length > 0, "ended", `${event("'order.' || status", order)} from ended`],
    [mayReimburse(write), "reimbursed", `${event("'payment.' || status", payment)} from reimbursed`],
    [write.payments.length > 0, "begun", `${event("'payment.' || status", payment)} from begun`],
    [write.payments.length > 0, "begun_for", `${event("'order.paid'", order)} from begun_for where status = 'paid'`],
    [write.settlements.length > 0, "settled", `${event("'payment.' || status", payment)} from settled`],
    [write.settlements.length > 0, "paid", `${event("'order.paid'", order)} from paid`],
    [write.shipments.length > 0, "sent", `${event("'shipment.sent'", shipment)} from sent`],
    [write.shipments.length > 0, "sent_for", `${event("'order.' || status", order)} from sent_for`],
    [write.deliveries.length > 0, "arrived", `${event("'shipment.delivered'", shipment)} from arrived`],
    [write.deliveries.length > 0, "delivered", `${event("'order.delivered'", order)} from delivered`],
    [write.movements.length > 0, "moved", `${event("'stock.moved'", "'movementId', id")} from moved`],
    [
      write.amendments.length > 0,
      "amended",
      `${event("'product.amended'", "'productId', id, 'version', version")} from amended`,
    ],
    [
      write.releases.some(({ key }) => isOfferKey(key)),
      "released",
      `${event("case when only_expired then 'offer.expired' else 'offer.declined' end", released)} from released where kind = 'offer'`,
    ],
    [write.leaves.length > 0, "left_list", `${event("'waitlist.left'", offer)} from left_list`],
    [write.joins.length > 0, "joined", `${event("'waitlist.joined'", offer)} from joined`],
    [write.offers.length > 0, "offered", `${event("'offer.made'", offer)} from offered`],
  ]
  return sources.flatMap(([isThere, name, select]) => (isThere ? [[name, select] as const] : []))
}

/** As `offerHold` names them; a request's own key may look the same, and is then only looked at more closely. */
const isOfferKey = (key: string): boolean => key.startsWith("offer/")
