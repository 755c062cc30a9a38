import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { isPlaced } from "./crowd.ts"
import { DatabaseLink, stageBehindLink } from "./databaseLink.ts"
import { trial } from "./trial.ts"

layer(stageBehindLink, { excludeTestServices: true, timeout: "120 seconds" })("a network that fails", (it) => {
  it.effect("between the service and PostgreSQL in mid-commit, again and again, keeps every answer true", () =>
    trial("connections to PostgreSQL cut in mid-commit, 40 times", (crowd) =>
      Effect.gen(function* () {
        const link = yield* DatabaseLink
        let cut = 0
        for (let round = 0; round < 40; round++) {
          cut += yield* link.cut("hedonify writer")
          yield* crowd.after(4, isPlaced)
        }
        assert.isAtLeast(cut, 40)
      }),
    ),
  )

  it.effect("without a word, so that nobody hears of it, is noticed in time, and orders go on", () =>
    trial("connections to PostgreSQL forgotten by the network", (crowd) =>
      Effect.gen(function* () {
        const link = yield* DatabaseLink
        for (let round = 0; round < 2; round++) {
          yield* link.forget
          yield* crowd.after(60, isPlaced)
        }
        // What lies idle would not be missed until it is used, and nobody could tell it from a leak.
        yield* link.reset
      }),
    ),
  )

  it.effect("by being slow, makes orders slow and nothing else", () =>
    trial("a slow link to PostgreSQL", (crowd) =>
      Effect.gen(function* () {
        const link = yield* DatabaseLink
        yield* link.delay(25)
        yield* crowd.after(60, isPlaced)
        yield* link.delay(0)
      }),
    ),
  )
})
