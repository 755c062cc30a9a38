import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import * as fc from "fast-check"
import { hasWords, wordsOf } from "../../src/catalogue/searchWords.ts"
import { testDatabase } from "../platform/testDatabase.ts"

/** Whether each name is found by what is asked for. */
const found = Effect.fnUntraced(function* (pairs: ReadonlyArray<readonly [name: string, asked: string]>) {
  const sql = yield* SqlClient.SqlClient
  return yield* Effect.forEach(pairs, ([name, asked]) =>
    Effect.map(
      sql<{ readonly isFound: boolean }>`
        select ${hasWords(sql, wordsOf(asked))} as "isFound" from (select words_of(${name}::text) as words) product`,
      ([row]) => row?.isFound,
    ),
  )
})

/** Nearly all that a name may be, and often what PostgreSQL's parser has a rule of its own for. */
const character = fc.oneof(
  fc.constantFrom(..."aAbeExwz0159 .,:;/-+_@&%#'\"\\|!()<>*=?$"),
  fc.constantFrom(..."éÉßµ\u0301\u00a0—–’½²٣कि्本字İΣς\u{1f525}\ufb01"),
)
const nameLike = fc.string({ unit: character, minLength: 1, maxLength: 24 })

layer(testDatabase)("the words of a name", (it) => {
  it.effect("a product is found by what its own name says, however it is written", () =>
    Effect.gen(function* () {
      const names: ReadonlyArray<readonly [name: string, asked: ReadonlyArray<string>]> = [
        ["USB 3.5 cable", ["3.5", "3", "5", "usb 3.5", "cable 3.5"]],
        ["Shirt black/white", ["white", "black/white", "white/black", "blac"]],
        ["Node.js book", ["node.js", "js", "Node"]],
        ["v1.2 thing", ["v1.2", "v1", "thing"]],
        ["Series-2000", ["series-2000", "2000", "-2000", "series 20"]],
        ["iPhone-15 Pro", ["15", "iphone-15", "IPHONE 15 pro"]],
        ["snake_case & <b>bold</b>", ["case", "snake_case", "bold", "<b>"]],
        ["me@example.com/a?b=c", ["example", "com/a", "me@example.com"]],
        ["हिन्दी किताब", ["हिन्दी", "किताब", "किता"]],
        ["Café au lait", ["Café", "Cafe\u0301", "café lait"]],
        ["Cafe\u0301 au lait", ["Café", "Cafe\u0301"]],
        ["ΟΔΟΣ İstanbul", ["ΟΔΟΣ", "İstanbul", "istanbul"]],
      ]
      const pairs = names.flatMap(([name, asked]) => asked.map((words) => [name, words] as const))
      const answers = yield* found(pairs)
      const missed = pairs.filter((_, index) => answers[index] !== true)
      assert.deepStrictEqual(missed, [])
    }),
  )

  it.effect("it is not found by what its name does not say", () =>
    Effect.gen(function* () {
      const pairs = [
        ["USB 3.5 cable", "3.6"],
        ["USB 3.5 cable", "able"],
        ["Node.js book", "node.ts"],
        ["Lamp", "lamp | desk"],
        ["Lamp", "!desk"],
        ["Lamp", "—"],
      ] as const
      assert.deepStrictEqual(
        yield* found(pairs),
        pairs.map(() => false),
      )
    }),
  )

  it.effect("whatever a name begins with finds it, and so does each of its parts", () =>
    Effect.gen(function* () {
      const names = fc.sample(nameLike, { numRuns: 1_500, seed: 4 })
      const pairs = names
        .flatMap((name) =>
          [name, name.slice(0, 1 + (name.length >> 1)), ...name.split(" ")].map((of) => [name, of] as const),
        )
        .filter(([, asked]) => asked.isWellFormed() && wordsOf(asked).length > 0)
        // An accent that was cut off its letter leaves another word.
        .filter(([name, asked]) => name.normalize("NFC").includes(asked.normalize("NFC")))
      const answers = yield* found(pairs)
      const missed = pairs.filter((_, index) => answers[index] !== true)
      assert.deepStrictEqual(missed, [])
    }),
  )

  it.effect("nothing that is asked for is more than words to PostgreSQL", () =>
    Effect.gen(function* () {
      const asked = fc.sample(nameLike, { numRuns: 500, seed: 5 }).filter((text) => wordsOf(text).length > 0)
      yield* found(asked.map((text) => ["Lamp", text]))
      for (const text of ["", "'&|!():*", " -- ", "\\"]) assert.deepStrictEqual(wordsOf(text), [])
    }),
  )
})
