/**
 * Pages of the event log, for members of merchants and admins.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { pageSizeDefault } from "../../domain/bounds.ts"
import type { MerchantId } from "../../domain/ids.ts"
import type { Event } from "../../events/event.ts"
import { Events } from "../../events/Events.ts"
import { viewerOf } from "../../events/viewer.ts"
import { Api } from "../contract/Api.ts"
import { CurrentCaller } from "../contract/authorization.ts"
import type { EventView } from "../contract/events.ts"
import { isoTime } from "../isoTime.ts"
import { answeringInTime } from "../respond.ts"

const eventView = ({ createdAtMillis, data, id, type }: Event): typeof EventView.Type => ({
  id,
  type,
  createdAt: isoTime(createdAtMillis),
  data,
})

export const eventsHandlers = HttpApiBuilder.group(
  Api,
  "events",
  Effect.fnUntraced(function* (handlers) {
    const events = yield* Events

    const list = Effect.fnUntraced(function* (query: {
      readonly after?: string
      readonly limit?: number
      readonly merchantId?: MerchantId
    }) {
      const caller = yield* CurrentCaller
      const viewer = yield* viewerOf(caller, query.merchantId)
      const page = yield* events.page(viewer, query.after ?? null, query.limit ?? pageSizeDefault)
      return { ...page, data: page.data.map(eventView) }
    })

    return handlers.handle("list", ({ query }) => answeringInTime(list(query)))
  }),
)
