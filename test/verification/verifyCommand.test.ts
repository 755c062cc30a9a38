/** What a person at the keyboard and a script see of `verify`. */
import { NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestConsole } from "effect/testing"
import { run } from "../../src/commands/verify.ts"
import { freshDatabase, testDatabase } from "../platform/testDatabase.ts"

const surroundings = Layer.mergeAll(testDatabase, NodeServices.layer, TestConsole.layer)
const printed = Effect.map(TestConsole.logLines, (lines) => lines.join("\n"))

/** A dozen lines of no order. */
const breakOneRule = Effect.flatMap(
  PgClient.PgClient,
  (sql) => sql`
    insert into order_lines (order_id, product_id, quantity, unit_price)
    select gen_random_uuid(), gen_random_uuid(), 1, number from generate_series(1, 12) as number`,
)

it.live("it prints a line for each rule, in columns, and ends well", () =>
  Effect.gen(function* () {
    yield* run({ json: false })
    const lines = (yield* printed).split("\n")
    const rules = lines.filter((line) => line.startsWith("ok  "))
    assert.strictEqual(rules.length, 33)
    assert.strictEqual(new Set(rules.map((line) => line.indexOf("violations"))).size, 1)
    assert.match(lines.at(-1) ?? "", /^All 33 rules hold\. \(\d+\.\d\d s\)$/)
  }).pipe(Effect.provide(surroundings)),
)

it.live("where a rule is violated it says which, what it demands and ten of the offenders, and fails", () =>
  Effect.gen(function* () {
    yield* breakOneRule
    const error = yield* Effect.flip(run({ json: false }))
    assert.strictEqual(error._tag, "RulesViolated")
    assert.strictEqual(error.message, "2 of 33 rules are violated: lines have orders, lines have products.")
    const text = yield* printed
    assert.match(
      text,
      /\nFAIL {2}lines have orders +checked 12 {2}violations 12\n {8}Every line belongs to an order\.\n/,
    )
    assert.strictEqual(text.match(/\n {8}\{"orderId":/g)?.length, 20)
    assert.include(text, "\n        and 2 more\n")
    assert.include(text, error.message)
  }).pipe(Effect.provide(surroundings)),
)

it.live("as JSON it is one value with every rule and all its examples, and fails all the same", () =>
  Effect.gen(function* () {
    yield* breakOneRule
    assert.strictEqual((yield* Effect.flip(run({ json: true })))._tag, "RulesViolated")
    const result: unknown = JSON.parse(yield* printed)
    assert.containSubset(result, { holds: false, rules: [{ name: "lines_have_orders", checked: 12, violations: 12 }] })
  }).pipe(Effect.provide(surroundings)),
)

it.live("a database without our tables is named as such, in one sentence", () =>
  Effect.gen(function* () {
    const address = yield* freshDatabase("empty")
    const error = yield* Effect.flip(run({ json: false })).pipe(Effect.provide(PgClient.layer(address)))
    assert.strictEqual(error._tag, "CannotStart")
    assert.strictEqual(error.message, "The database does not have the schema of this version: run npm run migrate.")
  }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(NodeServices.layer, TestConsole.layer))),
)
