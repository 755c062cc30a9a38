/**
 * The event log as a caller reads it: pages after a cursor that forget nothing, whoever writes meanwhile.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { MerchantId } from "../../domain/ids.ts"
import { eventTypes } from "../../events/event.ts"
import { cursorLengthMax } from "../../events/eventBounds.ts"
import { CallerAuthorization } from "./authorization.ts"
import { limitParameter } from "./paging.ts"
import { problems } from "./problem.ts"
import { lineOfText, Timestamp } from "./text.ts"

const typesInWords = eventTypes.map((type) => `\`${type}\``).join(", ")

export const EventView = Schema.Struct({
  id: Schema.String.annotate({ description: "The same one whoever reads it, by GET or by webhook." }),
  type: Schema.String.annotate({
    description: `Today ${typesInWords}. There may be more: leave out what you do not know.`,
  }),
  createdAt: Timestamp,
  data: Schema.Record(Schema.String, Schema.Unknown).annotate({
    description:
      "Of an order: orderId, status, the lines that are the reader's (productId, quantity, unitPrice), their total, and customerRef for the channel that gave it. Of a payment or shipment: orderId, paymentId or shipmentId, status. Of stock: productId, movementId, kind, delta. Of a product: productId, version. Of waiting lists: productId, offerId, and orderId of an accepted offer.",
  }),
}).annotate({ identifier: "Event" })

const description = `In the order in which they came to pass for each order and each product, whatever else is written
meanwhile; between two pages nothing is passed over and nothing comes twice. A page may be short, or empty, with
\`hasMore\`: what was looked at was for others, and \`cursor\` has moved on. Members of a merchant read of its products and
of its lines of orders, admins read everything.`.replaceAll("\n", " ")

export class EventsGroup extends HttpApiGroup.make("events")
  .add(
    HttpApiEndpoint.get("list", "/v1/events", {
      query: {
        after: Schema.optionalKey(lineOfText(cursorLengthMax)).annotateKey({
          description: "The cursor of the page before; from the oldest event that is kept unless given.",
        }),
        limit: limitParameter,
        merchantId: Schema.optionalKey(MerchantId).annotateKey({
          description: "Required of an account that belongs to several merchants.",
        }),
      },
      success: Schema.Struct({
        data: Schema.Array(EventView),
        cursor: Schema.String.annotate({ description: "The after of the next page, also once there is no more yet." }),
        hasMore: Schema.Boolean,
      }),
      error: problems({ 403: ["forbidden"], 410: ["cursor_expired"], 422: ["invalid"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "What happened (merchant)", description })),
  )
  .middleware(CallerAuthorization)
  .annotateMerge(OpenApi.annotations({ title: "Events", description: "What happened, for programs." })) {}
