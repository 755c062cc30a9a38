/** The actor on real PostgreSQL: the shortest way through everything a command can meet. */
import { assert, layer } from "@effect/vitest"
import { Clock, Effect, Layer, Option } from "effect"
import type { Command } from "../../src/domain/commands.ts"
import * as PostgresShardStore from "../../src/inventory/store/PostgresShardStore.ts"
import * as ShardActor from "../../src/inventory/shard/ShardActor.ts"
import { ShardStore } from "../../src/inventory/store/ShardStore.ts"
import type { RecordedSpan } from "../../src/platform/tracing/recording.ts"
import { makeRecordingTracer } from "../../src/platform/tracing/recordingTracer.ts"
import { testDatabase } from "../platform/testDatabase.ts"
import { balanceOf, hold, makeMerchant, makeProduct, makeShards, newAttempt, reserve, restock } from "./fixtures.ts"

const stores = PostgresShardStore.layer.pipe(Layer.provideMerge(testDatabase), Layer.orDie)

/** An actor with a fresh lease, and a way to send it commands with the usual deadline. */
const startActor = Effect.fnUntraced(function* (shard: number) {
  const store = yield* ShardStore
  yield* makeShards(2)
  const settings = { mailboxSize: 1000, batchSizeMax: 512, lingerMillis: 0, offerTtlMillis: 60_000 }
  const actor = yield* ShardActor.make(shard, store, settings, () => {})
  const lease = (yield* store.acquire([shard], "test")).get(shard)
  if (lease !== undefined) actor.grant(lease)
  const send = Effect.fnUntraced(function* <C extends Command>(command: C) {
    return yield* actor.submit(command, (yield* Clock.currentTimeMillis) + 5_000)
  })
  return { actor, send }
})

layer(stores, { excludeTestServices: true })("a shard's writer on PostgreSQL", (it) => {
  it.effect("sells every unit, refuses the next and names what is left", () =>
    Effect.gen(function* () {
      const { send } = yield* startActor(0)
      const product = yield* makeProduct(yield* makeMerchant(), 3)
      const commands = [2, 2, 1, 1].map((quantity) => reserve([[product, quantity]]))
      const outcomes = yield* Effect.forEach(commands, send, { concurrency: "unbounded" })
      assert.deepStrictEqual(
        outcomes.map((outcome) => outcome._tag),
        ["Accepted", "Refused", "Accepted", "Refused"],
      )
      assert.deepStrictEqual(outcomes[1], {
        _tag: "Refused",
        refusal: {
          code: "out_of_stock",
          lines: [{ productId: product, requested: 2, available: 1 }],
          retryable: false,
        },
      })
      assert.deepStrictEqual(yield* balanceOf(product), { stocked: 3, available: 0, ordered: 3, held: 0, returning: 0 })
    }),
  )

  it.effect("answers fifty retries at the same instant with one order", () =>
    Effect.gen(function* () {
      const { send } = yield* startActor(0)
      const product = yield* makeProduct(yield* makeMerchant(), 10)
      const first = reserve([[product, 2]])
      const retries = Array.from({ length: 50 }, () =>
        reserve([[product, 2]], { caller: first.caller, key: first.key }),
      )
      const outcomes = yield* Effect.forEach([first, ...retries], send, { concurrency: "unbounded" })
      const later = yield* send(reserve([[product, 2]], { caller: first.caller, key: first.key }))
      const tags = [...outcomes, later].map((outcome) => outcome._tag)
      assert.deepStrictEqual(tags, ["Accepted", ...Array.from({ length: 51 }, () => "Repeated")])
      for (const outcome of [...outcomes, later]) {
        assert.isTrue("orderId" in outcome && outcome.orderId === first.orderId)
      }
      assert.strictEqual((yield* balanceOf(product)).available, 8)
    }),
  )

  it.effect("refuses a key used for something else, at once and after the product is sold out", () =>
    Effect.gen(function* () {
      const { send } = yield* startActor(0)
      const product = yield* makeProduct(yield* makeMerchant(), 2)
      const first = reserve([[product, 2]])
      const other = reserve([[product, 1]], { caller: first.caller, key: first.key })
      const outcomes = yield* Effect.forEach([first, other], send, { concurrency: "unbounded" })
      const reused = { _tag: "Refused", refusal: { code: "idempotency_key_reused" } } as const
      assert.strictEqual(outcomes[0]?._tag, "Accepted")
      assert.deepStrictEqual(outcomes[1], reused)
      assert.deepStrictEqual(yield* send(other), reused)
      assert.strictEqual((yield* send({ ...first }))._tag, "Repeated")
    }),
  )

  it.effect("decides a limit per customer in the batch that sells", () =>
    Effect.gen(function* () {
      const { send } = yield* startActor(0)
      const product = yield* makeProduct(yield* makeMerchant(), 10, { limitPerCustomer: 3 })
      const customer = "ref:greedy"
      const commands = [2, 2, 1].map((quantity) => reserve([[product, quantity]], { customer }))
      const outcomes = yield* Effect.forEach(commands, send, { concurrency: "unbounded" })
      assert.deepStrictEqual(
        outcomes.map((outcome) => outcome._tag),
        ["Accepted", "Refused", "Accepted"],
      )
      assert.deepStrictEqual(yield* send(reserve([[product, 1]], { customer })), {
        _tag: "Refused",
        refusal: { code: "limit_exceeded", productId: product, allowed: 3, had: 3 },
      })
      assert.strictEqual((yield* send(reserve([[product, 1]])))._tag, "Accepted")
    }),
  )

  it.effect("spends restocked units from the next batch on, in the order of the mailbox", () =>
    Effect.gen(function* () {
      const { send } = yield* startActor(0)
      const product = yield* makeProduct(yield* makeMerchant(), 1)
      const commands = [reserve([[product, 1]]), restock(product, 2), reserve([[product, 1]]), restock(product, -2)]
      const outcomes = yield* Effect.forEach(commands, (command: Command) => send(command), {
        concurrency: "unbounded",
      })
      assert.deepStrictEqual(
        outcomes.map((outcome) => outcome._tag),
        ["Accepted", "Moved", "Accepted", "Refused"],
      )
      assert.deepStrictEqual(yield* balanceOf(product), { stocked: 3, available: 1, ordered: 2, held: 0, returning: 0 })
    }),
  )

  it.effect("holds units for another shard's order, which consumes them once", () =>
    Effect.gen(function* () {
      const home = yield* startActor(0)
      const other = yield* startActor(1)
      const merchant = yield* makeMerchant()
      const here = yield* makeProduct(merchant, 5, { shard: 0, price: 100 })
      const there = yield* makeProduct(merchant, 5, { shard: 1, price: 7 })
      const order = reserve([[here, 1]])
      const attempt = newAttempt()
      const wanted = hold([[there, 2]], {
        caller: order.caller,
        key: order.key,
        fingerprint: order.fingerprint,
        attempt,
      })
      const held = yield* other.send(wanted)
      assert.strictEqual(held._tag, "Held")
      assert.strictEqual((yield* other.send({ ...wanted, attempt: newAttempt() }))._tag, "Held")
      const { fingerprint, key } = order
      const part = {
        shard: 1,
        attempt,
        key,
        fingerprint,
        currency: "EUR",
        reservationTtlSeconds: null,
        lines: [{ productId: there, quantity: 2, unitPrice: 7 }],
      }
      const missing = yield* home.send({ ...order, held: [part] })
      assert.strictEqual(missing._tag, "HoldMissing", "the hold has moved on to a later attempt")
      assert.strictEqual((yield* balanceOf(there)).held, 2)
      const again = yield* other.send({ ...wanted, attempt: newAttempt() })
      assert.strictEqual(again._tag, "Held")
      const last = newAttempt()
      yield* other.send({ ...wanted, attempt: last })
      const placed = yield* home.send({ ...order, held: [{ ...part, attempt: last }] })
      assert.strictEqual(placed._tag, "Accepted")
      assert.deepStrictEqual(placed._tag === "Accepted" ? placed.total : null, { amount: 114, currency: "EUR" })
      assert.deepStrictEqual(yield* balanceOf(there), { stocked: 5, available: 3, ordered: 2, held: 0, returning: 0 })
      assert.deepStrictEqual(yield* balanceOf(here), { stocked: 5, available: 4, ordered: 1, held: 0, returning: 0 })
    }),
  )

  it.effect("answers busy once another writer took the shard, and never sells from stale memory", () =>
    Effect.gen(function* () {
      const store = yield* ShardStore
      const { send } = yield* startActor(0)
      const product = yield* makeProduct(yield* makeMerchant(), 1)
      assert.strictEqual((yield* send(reserve([[product, 1]])))._tag, "Accepted")
      yield* store.acquire([0], "another")
      const refusal = yield* Effect.flip(send(reserve([[product, 1]])))
      assert.strictEqual(refusal._tag, "Busy")
      assert.strictEqual((yield* balanceOf(product)).available, 0)
    }),
  )

  it.effect("links the traces of orders to the batch that carried them, which is linked to them", () => {
    const spans: Array<RecordedSpan> = []
    const sink = { send: (span: RecordedSpan) => void spans.push(span), mayKeepMore: () => true, dropped: () => {} }
    return Effect.gen(function* () {
      const { send } = yield* startActor(0)
      const product = yield* makeProduct(yield* makeMerchant(), 5)
      const orders = ["first", "second"].map((name) => Effect.withSpan(send(reserve([[product, 1]])), name))
      yield* Effect.all(orders, { concurrency: "unbounded" })
      const named = (name: string) => spans.find((span) => span.name === name) ?? assert.fail(`no span ${name}`)
      const batch = named("ShardActor.batch")
      assert.deepStrictEqual(
        batch.links.map((link) => link.span.spanId),
        [named("first").spanId, named("second").spanId],
      )
      assert.strictEqual(batch.attributes.get("hedonify.batch.size"), 2)
      const carried = spans.filter((span) => span.name === "batch")
      assert.deepStrictEqual(
        carried.map((span) => span.links.map((link) => link.span.spanId)),
        [[batch.spanId], [batch.spanId]],
      )
      assert.strictEqual(Option.getOrUndefined(named("ShardStore.commit").parent)?.spanId, batch.spanId)
    }).pipe(Effect.withTracer(makeRecordingTracer("always_on", 1, sink)))
  })
})
