/**
 * Shipping what was paid, one shipment for each merchant of an order.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { carrierLengthMax, trackingNumberLengthMax } from "../../domain/bounds.ts"
import { MerchantId, OrderId, ShipmentId } from "../../domain/ids.ts"
import { Authorization } from "./authorization.ts"
import { ShipmentView } from "./orders.ts"
import { bodyProblems, problems } from "./problem.ts"
import { lineOfText } from "./text.ts"

export const SendShipment = Schema.Struct({
  carrier: lineOfText(carrierLengthMax),
  trackingNumber: lineOfText(trackingNumberLengthMax),
  merchantId: Schema.optionalKey(MerchantId).annotateKey({
    description: "Required of an account that belongs to several merchants of the order.",
  }),
}).annotate({ identifier: "SendShipment" })

export class ShipmentsGroup extends HttpApiGroup.make("shipments")
  .add(
    HttpApiEndpoint.post("send", "/v1/orders/:id/shipments", {
      params: { id: OrderId },
      payload: SendShipment,
      success: ShipmentView.pipe(HttpApiSchema.status(201)),
      error: problems(bodyProblems, { 404: ["not_found"], 409: ["not_shippable", "already_shipped"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send off all of one's own lines of a paid order (merchant)",
        description: "With the last merchant's shipment the order is shipped. The same shipment said again is one.",
      }),
    ),
    HttpApiEndpoint.post("deliver", "/v1/shipments/:id/deliver", {
      params: { id: ShipmentId },
      success: ShipmentView,
      error: problems({ 404: ["not_found"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Say that a shipment has arrived (merchant); safe to repeat" })),
  )
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Shipments", description: "For members of the merchant." })) {}
