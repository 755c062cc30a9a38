/**
 * Reading the event log over HTTP as a program would, page after page.
 */
import { assert } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { EventView } from "../../src/http/contract/events.ts"
import { call } from "../http/testServer.ts"

export type Told = typeof EventView.Type

const decodePage = Schema.decodeUnknownSync(
  Schema.Struct({ data: Schema.Array(EventView), cursor: Schema.String, hasMore: Schema.Boolean }),
)

export const eventsPage = Effect.fnUntraced(function* (
  token: string,
  query: { readonly after?: string; readonly limit?: number; readonly merchantId?: string } = {},
) {
  const parameters = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]))
  const answer = yield* call(`/v1/events?${parameters}`, { token })
  assert.strictEqual(answer.status, 200, answer.text)
  return decodePage(answer.body)
})

/** Everything that is there now, and the cursor behind it. */
export const allEvents = Effect.fnUntraced(function* (token: string, from?: string, limit = 100) {
  const told: Array<Told> = []
  let after = from
  for (;;) {
    const page = yield* eventsPage(token, { limit, ...(after === undefined ? {} : { after }) })
    told.push(...page.data)
    after = page.cursor
    if (!page.hasMore) return { told, cursor: after }
  }
})

/** A reader's cursor at the end of the log. */
export const endOf = (token: string) => Effect.map(allEvents(token), ({ cursor }) => cursor)

export const typesOf = (told: ReadonlyArray<Told>) => told.map(({ type }) => type)
