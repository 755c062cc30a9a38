/**
 * Looks names up. Must stay true: a name server that says nothing keeps nobody for long, and no thread of the process:
 * asked through the system's own look-up, four slow names would have every password wait.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { promises } from "node:dns"
import { nameLookupMaxMillis } from "./webhookBounds.ts"
import { isLocalName } from "./targets.ts"

export class NameUnknown extends Schema.TaggedError<NameUnknown>()("NameUnknown", {}) {}

export class Names extends Context.Service<
  Names,
  {
    /** All its addresses, at least one. */
    readonly addressesOf: (name: string) => Effect.Effect<ReadonlyArray<string>, NameUnknown>
  }
>()("hedonify/webhooks/Names") {
  static readonly layer = Layer.sync(Names, () => {
    const resolver = new promises.Resolver({ timeout: nameLookupMaxMillis, tries: 2 })
    const ask = (look: () => Promise<ReadonlyArray<string>>) =>
      Effect.tryPromise({ try: look, catch: () => new NameUnknown() }).pipe(
        Effect.orElseSucceed((): ReadonlyArray<string> => []),
      )
    const addressesOf = Effect.fnUntraced(function* (name: string) {
      if (isLocalName(name)) return ["127.0.0.1", "::1"]
      const answers = yield* Effect.all([ask(() => resolver.resolve4(name)), ask(() => resolver.resolve6(name))], {
        concurrency: "unbounded",
      })
      const addresses = answers.flat()
      return addresses.length === 0 ? yield* new NameUnknown() : addresses
    })
    return Names.of({ addressesOf })
  })
}
