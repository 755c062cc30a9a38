/** A stage whose service reaches PostgreSQL over a link that a test can break. */
import { Context, Effect, Layer } from "effect"
import { inject } from "vitest"
import { type FrailLink, frailLink } from "./frailLink.ts"
import { stageIn } from "./stage.ts"

export class DatabaseLink extends Context.Service<DatabaseLink, FrailLink>()("hedonify/test/faults/DatabaseLink") {
  static readonly layer = Layer.effect(
    DatabaseLink,
    Effect.suspend(() => frailLink(inject("faultRun").port)),
  )
}

export const stageBehindLink = stageIn(Effect.map(DatabaseLink, ({ port }) => ({ databasePort: port }))).pipe(
  Layer.provideMerge(DatabaseLink.layer),
)
