/**
 * One suite for both stores: each behaviour is tried on PostgreSQL and on the in-memory model. After every test the
 * books of the whole database must balance.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import type { Applied, NotApplied, StoreRejected, StoreUnknown } from "../../src/inventory/store/ShardStore.ts"
import { booksBalance, type Parts, takeOver, type Writer } from "./selling.ts"
import { StoreUnderTest } from "./StoreUnderTest.ts"

const implementations: ReadonlyArray<readonly [string, Layer.Layer<StoreUnderTest, unknown>]> = [
  ["in memory", StoreUnderTest.memory],
  ["on PostgreSQL", StoreUnderTest.postgres],
]

type Behaves = <E>(sentence: string, test: Effect.Effect<void, E, StoreUnderTest>) => void

export const onBothStores = (subject: string, suite: (behaves: Behaves) => void): void => {
  for (const [name, implementation] of implementations) {
    layer(implementation, { excludeTestServices: true })(`${subject} ${name}`, (it) =>
      suite((sentence, test) => it.effect(sentence, () => Effect.andThen(test, booksBalance))),
    )
  }
}

export const writerOf = (shard: number) => Effect.flatMap(StoreUnderTest, ({ first }) => takeOver(first, shard))
export const rowsNow = Effect.flatMap(StoreUnderTest, ({ rows }) => rows)

/** The SQLSTATE that a batch is refused with; nothing may have changed. */
export const refusal = Effect.fnUntraced(function* (writer: Writer, parts: Parts) {
  const before = yield* rowsNow
  const error = yield* Effect.flip(writer.store.commit(writer.next(parts)))
  assert.deepStrictEqual(yield* rowsNow, before)
  return error._tag === "StoreRejected" ? error.sqlState : assert.fail("the outcome is unknown")
})

/** Whether a write was applied; where it was not, nothing may have changed. */
export const isApplied = Effect.fnUntraced(function* (
  commit: Effect.Effect<Applied | NotApplied, StoreRejected | StoreUnknown>,
) {
  const before = yield* rowsNow
  const { _tag } = yield* commit
  if (_tag === "NotApplied") assert.deepStrictEqual(yield* rowsNow, before)
  return _tag === "Applied"
})
