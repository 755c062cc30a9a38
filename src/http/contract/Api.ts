/**
 * The whole contract: every path, what it takes and each way it can answer. Handlers are elsewhere, so that a client
 * can be derived from this without any of them.
 */
import { HttpApi, OpenApi } from "effect/http-api"
import {
  batchBodySizeMaxBytes,
  batchOrdersMax,
  bodySizeMaxBytes,
  idempotencyKeyLengthMax,
  importBodySizeMaxBytes,
  importRowsMax,
  jsonDepthMax,
  lineQuantityMax,
  nameLengthMax,
  orderLinesMax,
  pageSizeDefault,
  pageSizeMax,
  productUnitsMax,
} from "../../domain/bounds.ts"
import { AccountsGroup, SessionsGroup } from "./accounts.ts"
import { CartGroup } from "./carts.ts"
import { EventsGroup } from "./events.ts"
import { MerchantsGroup } from "./merchants.ts"
import { finishOpenApi } from "./openApiDocument.ts"
import { OpsGroup } from "./ops.ts"
import { OrdersGroup } from "./orders.ts"
import { PaymentCallbacksGroup, PaymentsGroup } from "./payments.ts"
import { ProductEditingGroup, ProductsGroup } from "./products.ts"
import { ShipmentsGroup } from "./shipments.ts"
import { SystemGroup } from "./system.ts"
import { WaitingListsGroup } from "./waitingLists.ts"
import { WebhooksGroup } from "./webhooks.ts"

const description = `Sells limited stock to a crowd and never sells a unit twice.

Send the token of a session as \`Authorization: Bearer …\`. Whoever got a 201 finds that order after any crash. A request
that was refused left nothing behind and may be sent again with the same \`Idempotency-Key\`; a repeat of an accepted one
answers 201 with the order as it is now and \`Idempotency-Replayed: true\`.

Every refusal is \`application/problem+json\` with a \`code\` to decide by, \`retryable\`, and the \`requestId\` that is also
in the \`X-Request-Id\` header of every answer. Any path can also answer 404 \`not_found\`, 405 \`method_not_allowed\`,
500 \`internal\`, 503 \`busy\` (nothing happened) and 503 \`outcome_unknown\` (ask again with the same key). What is no
HTTP request, too slow, too large in its headers or expects what nobody does is \`malformed\` with 400, 408, 431 or 417.

Limits: ${orderLinesMax} lines an order or a cart, lines of one product merged; 1 to ${lineQuantityMax} units a line;
${productUnitsMax} units a product; ${batchOrdersMax} orders a batch; ${bodySizeMaxBytes / 1024} KiB a body,
${batchBodySizeMaxBytes / 1024} KiB a batch, ${importBodySizeMaxBytes / 1024} KiB and ${importRowsMax} rows an import;
${jsonDepthMax} levels of JSON; pages of 1 to ${pageSizeMax} (${pageSizeDefault} unless given); keys of 1 to
${idempotencyKeyLengthMax} printable ASCII characters; names of 1 to ${nameLengthMax} characters without control
characters. Money is in minor units.`

export class Api extends HttpApi.make("hedonify")
  .add(
    AccountsGroup,
    SessionsGroup,
    MerchantsGroup,
    ProductsGroup,
    ProductEditingGroup,
    CartGroup,
    OrdersGroup,
    PaymentsGroup,
    PaymentCallbacksGroup,
    ShipmentsGroup,
    WaitingListsGroup,
    EventsGroup,
    WebhooksGroup,
    OpsGroup,
    SystemGroup,
  )
  .annotateMerge(
    OpenApi.annotations({
      title: "Hedonify",
      version: "0.1.0",
      description,
      license: { name: "MIT" },
      transform: finishOpenApi,
    }),
  ) {}
