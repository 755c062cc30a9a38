/**
 * Shipments over HTTP, for members of the merchants that sell the lines.
 */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { notFound } from "../../accounts/accountRefusals.ts"
import { maySendFor } from "../../accounts/principal.ts"
import type { OrderId, ShipmentId } from "../../domain/ids.ts"
import { Shipments } from "../../orders/Shipments.ts"
import { Api } from "../contract/Api.ts"
import { CurrentPrincipal } from "../contract/authorization.ts"
import { SendShipment } from "../contract/shipments.ts"
import { makeBodyReader } from "../requestBody.ts"
import { answering } from "../respond.ts"
import { shipmentView } from "./orders.ts"

const readShipment = makeBodyReader(SendShipment)

export const shipmentsHandlers = HttpApiBuilder.group(
  Api,
  "shipments",
  Effect.fnUntraced(function* (handlers) {
    const shipments = yield* Shipments

    const send = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, orderId: OrderId) {
      const { account } = yield* CurrentPrincipal
      const { merchantId, ...wanted } = yield* readShipment(request)
      const sent = yield* shipments.send(maySendFor(account), orderId, { ...wanted, merchantId: merchantId ?? null })
      if (sent === null) return yield* Effect.fail(notFound)
      return sent._tag === "Refused" ? yield* Effect.fail(sent.refusal) : shipmentView(sent.shipment)
    })

    const deliver = Effect.fnUntraced(function* (shipmentId: ShipmentId) {
      const { account } = yield* CurrentPrincipal
      const merchantIds = account.isAdmin ? null : maySendFor(account)
      const arrived = yield* shipments.deliver(merchantIds, shipmentId)
      return arrived === null || arrived._tag === "Refused"
        ? yield* Effect.fail(notFound)
        : shipmentView(arrived.shipment)
    })

    return handlers
      .handleRaw("send", ({ params, request }) => answering(send(request, params.id)))
      .handle("deliver", ({ params }) => answering(deliver(params.id)))
  }),
)
