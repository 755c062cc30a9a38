/**
 * Webhooks for tests: names are looked up in a table that a test may change, never in the network; and the relay does
 * what a test tells it, when it tells it.
 */
import { Context, Effect, Layer } from "effect"
import { Events } from "../../src/events/Events.ts"
import { NameUnknown, Names } from "../../src/webhooks/Names.ts"
import { Relay } from "../../src/webhooks/Relay.ts"
import { Sender } from "../../src/webhooks/Sender.ts"
import { Webhooks } from "../../src/webhooks/Webhooks.ts"

/** What a name server answers, one answer after the other; the last one stays. */
export class TestNames extends Context.Service<TestNames, Map<string, Array<ReadonlyArray<string>>>>()(
  "hedonify/test/TestNames",
) {
  static readonly layer = Layer.sync(TestNames, () => new Map())
}

/** Names from the table, and the table. */
export const testNames = Layer.effect(
  Names,
  Effect.map(TestNames, (table) =>
    Names.of({
      addressesOf: (name) =>
        Effect.suspend(() => {
          const answers = table.get(name)
          const answer = answers !== undefined && answers.length > 1 ? answers.shift() : answers?.[0]
          return answer === undefined ? Effect.fail(new NameUnknown()) : Effect.succeed(answer)
        }),
    }),
  ),
).pipe(Layer.provideMerge(TestNames.layer))

/** A receiver that hangs costs a test so long. */
const testTimeLimitMillis = 500

export const testWebhooks = Layer.mergeAll(Webhooks.layer, Relay.layer).pipe(
  Layer.provideMerge(Layer.mergeAll(Events.layer, Sender.layer("loopback", testTimeLimitMillis))),
  Layer.provideMerge(testNames),
)
