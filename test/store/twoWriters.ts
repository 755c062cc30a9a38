/**
 * What the races have in common: a database with two writers, a scope for whatever holds a lock meanwhile, and books that
 * must balance in the end.
 */
import type { PgClient } from "@effect/sql-pg"
import { layer } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import type { DatabaseAddress } from "../../src/platform/Database.ts"
import { booksBalance } from "./selling.ts"
import { StoreUnderTest } from "./StoreUnderTest.ts"

type Needs = StoreUnderTest | DatabaseAddress | PgClient.PgClient | Scope.Scope
type Behaves = (sentence: string, test: Effect.Effect<void, unknown, Needs>) => void

/** How often a race is run whose outcome is not forced. */
export const raceRounds = 30

export const betweenTwoWriters = (subject: string, suite: (behaves: Behaves) => void): void =>
  layer(StoreUnderTest.postgres, { excludeTestServices: true })(`${subject}, two writers on PostgreSQL`, (it) =>
    suite((sentence, test) => it.effect(sentence, () => Effect.andThen(Effect.scoped(test), booksBalance))),
  )

export const tagOf = <A extends { readonly _tag: string }, E extends { readonly _tag: string }>(
  commit: Effect.Effect<A, E>,
) => Effect.match(commit, { onSuccess: ({ _tag }) => _tag, onFailure: ({ _tag }) => _tag })
