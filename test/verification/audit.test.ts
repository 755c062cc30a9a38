/** The audit by itself: each interval, one at a time, said in the log where the books are broken, and never a guess. */
import { NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { Audit, violatedRules } from "../../src/verification/Audit.ts"
import { readRules } from "../../src/verification/verify.ts"
import { testDatabase } from "../platform/testDatabase.ts"
import { makeWorld } from "./world.ts"
import * as PostgresShardStore from "../../src/inventory/store/PostgresShardStore.ts"

const databases = Layer.provideMerge(PostgresShardStore.layer, Layer.provideMerge(testDatabase, NodeServices.layer))

interface Said {
  readonly level: string
  readonly message: unknown
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Runs with audits each hour and keeps what they log. */
const auditing = <A, E, R>(use: (said: ReadonlyArray<Said>) => Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const said: Array<Said> = []
    const logger = Logger.make(({ fiber, logLevel, message }) => {
      said.push({ level: logLevel, message, annotations: fiber.getRef(References.CurrentLogAnnotations) })
    })
    return use(said).pipe(
      Effect.provide(
        Audit.layer({ auditIntervalMillis: 3_600_000 }).pipe(
          Layer.provideMerge(databases),
          Layer.provideMerge(Logger.layer([logger])),
        ),
      ),
    )
  })

it.effect("it begins by itself when its interval is over, and not before", () =>
  auditing((said) =>
    Effect.gen(function* () {
      const audit = yield* Audit
      yield* TestClock.adjust("59 minutes")
      assert.deepStrictEqual(audit.state(), { runningSinceMillis: null, last: null })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(audit.state().runningSinceMillis, 3_600_000)
      const { rules, startedAtMillis } = yield* audit.run
      assert.strictEqual(startedAtMillis, 3_600_000)
      assert.strictEqual(rules.length, (yield* readRules).length)
      assert.isTrue(rules.every(({ outcome }) => outcome === "holds"))
      assert.deepStrictEqual(
        said.map(({ level, message }) => [level, message]),
        [["Info", ["An audit ended"]]],
      )
      assert.isNull(audit.state().runningSinceMillis)
    }),
  ),
)

it.effect("a broken rule is an error in the log, with its name and count and nothing of the rows", () =>
  auditing((said) =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* makeWorld
      yield* sql`update stock set available = available - 1 where available > 0`
      const audit = yield* Audit
      yield* audit.run
      const [violated] = violatedRules(audit.state())
      assert.strictEqual(violated?.name, "units_accounted_for")
      assert.isAbove(violated?.violations ?? 0, 0)
      const errors = said.filter(({ level }) => level === "Error")
      assert.deepStrictEqual(
        errors.map(({ annotations }) => annotations),
        [{ rule: "units_accounted_for", violations: violated?.violations, checked: violated?.checked }],
      )
    }),
  ),
)

it.effect("a rule that cannot be looked at is not called sound, and the others are looked at", () =>
  auditing((said) =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* sql`alter table carts rename to carts_elsewhere`
      const { rules } = yield* (yield* Audit).run
      const unknown = rules.filter(({ outcome }) => outcome === "unknown")
      assert.deepStrictEqual(
        unknown.map(({ name, reason }) => ({ name, reason })),
        [{ name: "carts_fit_an_order", reason: "PostgreSQL refused it" }],
      )
      assert.strictEqual(rules.filter(({ outcome }) => outcome === "holds").length, rules.length - 1)
      assert.strictEqual(said.at(-1)?.level, "Warn")
    }),
  ),
)

it.effect("it cannot write, whatever a rule says", () =>
  auditing(() =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* makeWorld
      yield* sql`create table touched (at timestamptz)`
      yield* sql`create function touch() returns boolean language plpgsql as
        $$ begin insert into touched values (now()); return true; end $$`
      yield* sql`alter table carts rename to carts_elsewhere`
      yield* sql`create view carts as select * from carts_elsewhere where touch()`
      const { rules } = yield* (yield* Audit).run
      assert.strictEqual(rules.find(({ name }) => name === "carts_fit_an_order")?.outcome, "unknown")
      assert.deepStrictEqual(yield* sql`select * from touched`, [])
    }),
  ),
)
