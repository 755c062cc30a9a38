import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { Webhook as Verifier } from "standardwebhooks"
import { Relay } from "../../src/webhooks/Relay.ts"
import {
  fanOutRowsMax,
  pendingOfWebhookMax,
  retryAfterMaxMillis,
  retryPausesMillis,
  webhooksOfMerchantMax,
} from "../../src/webhooks/webhookBounds.ts"
import { isViolated, verify } from "../../src/verification/verify.ts"
import { call, testServer } from "../http/testServer.ts"
import {
  assertAllTold,
  buyAndCancel,
  deliveriesOf,
  letTimePass,
  makeShop,
  readOn,
  relayRounds,
  serveDue,
  told,
} from "./relaying.ts"

layer(testServer, { excludeTestServices: true })("a receiver", (it) => {
  it.effect("is told of everything, in order per order, signed as the specification says", () =>
    Effect.gen(function* () {
      const shop = yield* makeShop()
      shop.receiver.mood = { _tag: "Slow", millis: 10 }
      const orderIds = yield* buyAndCancel(shop, 20)
      yield* relayRounds(1)
      assertAllTold(shop.receiver, orderIds)
      assert.strictEqual(shop.receiver.accepted.length, 40)
      assert.isAbove(shop.receiver.busiest, 1, "different orders are delivered at the same time")
      const states = (yield* deliveriesOf(shop)).map(({ state }) => state)
      assert.deepStrictEqual(new Set(states), new Set(["succeeded"]))
      assert.deepStrictEqual((yield* verify()).filter(isViolated), [])
    }),
  )

  it.effect(
    "that is slow, refuses connections, answers errors, hangs and redirects is told all of it once it is back",
    () =>
      Effect.gen(function* () {
        const shop = yield* makeShop()
        const { receiver } = shop
        const orderIds: Array<string> = []
        const buy = Effect.gen(function* () {
          orderIds.push(...(yield* buyAndCancel(shop, 3)))
        })
        receiver.mood = { _tag: "Slow", millis: 30 }
        yield* buy
        yield* relayRounds(1)
        yield* receiver.close
        yield* buy
        yield* relayRounds(2)
        yield* receiver.open
        const elsewhere = "http://127.0.0.1:1/elsewhere"
        for (const mood of [
          { _tag: "Answers", status: 500 },
          { _tag: "Hangs" },
          { _tag: "Answers", status: 302, headers: { location: elsewhere } },
          { _tag: "Answers", status: 429 },
        ] as const) {
          receiver.mood = mood
          yield* buy
          yield* relayRounds(1)
        }
        assert.isFalse([...told(receiver).values()].flat().length > 6, "nothing was accepted but what was slow")
        const errors = new Set((yield* deliveriesOf(shop, "pending")).map(({ lastError }) => lastError))
        assert.isTrue(errors.has("it was not accepted"))
        receiver.mood = { _tag: "Accepts" }
        yield* relayRounds(2)
        assertAllTold(receiver, orderIds)
        assert.deepStrictEqual(
          receiver.asked.filter(({ path }) => path !== "/hook"),
          [],
        )
        assert.deepStrictEqual((yield* verify()).filter(isViolated), [])
      }),
  )

  it.effect("gets the later event of an order only after the earlier one, whatever happens to other orders", () =>
    Effect.gen(function* () {
      const shop = yield* makeShop()
      const [orderId = ""] = yield* buyAndCancel(shop, 1)
      shop.receiver.mood = { _tag: "Answers", status: 503 }
      yield* relayRounds(3)
      const pending = yield* deliveriesOf(shop, "pending")
      const attempts = new Map(pending.map(({ attempts: made, type }) => [type, made]))
      assert.deepStrictEqual(
        attempts,
        new Map([
          ["order.cancelled", 0],
          ["order.reserved", 3],
        ]),
      )
      shop.receiver.mood = { _tag: "Accepts" }
      const others = yield* buyAndCancel(shop, 1)
      // The pause of the first one runs on; the other order does not wait for it.
      yield* readOn
      yield* serveDue
      assert.deepStrictEqual([...told(shop.receiver).keys()], others)
      yield* relayRounds(1)
      assertAllTold(shop.receiver, [orderId, ...others])
    }),
  )

  it.effect(
    "that refuses an event to the last attempt finds it among the dead, later ones go on, and it can be replayed",
    () =>
      Effect.gen(function* () {
        const shop = yield* makeShop()
        const { merchant, receiver, webhookId } = shop
        const [orderId = ""] = yield* buyAndCancel(shop, 1)
        receiver.mood = { _tag: "Answers", status: 500 }
        yield* relayRounds(retryPausesMillis.length + 1)
        const [dead, ...more] = yield* deliveriesOf(shop, "dead")
        assert.isEmpty(more)
        assert.strictEqual(dead?.["type"], "order.reserved")
        assert.strictEqual(dead?.["attempts"], retryPausesMillis.length + 1)
        assert.strictEqual(dead?.["lastStatus"], 500)
        assert.isNull(dead?.["nextAttemptAt"])
        const path = `/v1/webhooks/${webhookId}/deliveries/${String(dead?.["id"])}`

        receiver.mood = { _tag: "Accepts" }
        yield* relayRounds(1)
        assert.deepStrictEqual(told(receiver), new Map([[orderId, ["order.cancelled"]]]))
        const replayed = yield* call(`${path}/replay`, { method: "POST", token: merchant.token })
        assert.strictEqual(replayed.status, 200, replayed.text)
        assert.strictEqual(replayed.body["state"], "pending")
        yield* relayRounds(1)
        assert.deepStrictEqual(told(receiver), new Map([[orderId, ["order.cancelled", "order.reserved"]]]))
        assert.isEmpty(yield* deliveriesOf(shop, "dead"))
        const [first] = receiver.asked
        assert.strictEqual(receiver.asked.at(-1)?.id, first?.id, "under the id that it had")
      }),
  )

  it.effect("is told again under the same id where the relay died between the delivery and its record", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const shop = yield* makeShop()
      const { receiver } = shop
      const [orderId = ""] = yield* buyAndCancel(shop, 1)
      yield* letTimePass
      yield* readOn
      yield* sql`create function fail_record() returns trigger language plpgsql as
        $$ begin raise exception 'the relay is gone'; end $$`
      yield* sql`create trigger fail_record before update on webhook_deliveries for each row
        execute function fail_record()`
      assert.isTrue((yield* Effect.exit(serveDue))._tag === "Failure")
      yield* sql`drop trigger fail_record on webhook_deliveries`
      assert.deepStrictEqual(
        receiver.accepted.map(({ type }) => type),
        ["order.reserved"],
      )
      yield* relayRounds(1)
      assert.deepStrictEqual(
        receiver.accepted.map(({ type }) => type),
        ["order.reserved", "order.reserved", "order.cancelled"],
      )
      assert.strictEqual(receiver.accepted[0]?.id, receiver.accepted[1]?.id)
      assertAllTold(receiver, [orderId])
    }),
  )

  it.effect("that says 410 is not told any more until it is turned on again, and then of all that it missed", () =>
    Effect.gen(function* () {
      const shop = yield* makeShop()
      const { merchant, receiver, webhookId } = shop
      const path = `/v1/webhooks/${webhookId}`
      receiver.mood = { _tag: "Answers", status: 410 }
      const orderIds = [...(yield* buyAndCancel(shop, 2))]
      yield* relayRounds(1)
      const off = yield* call(path, { token: merchant.token })
      assert.strictEqual(off.body["enabled"], false)
      assert.strictEqual(off.body["disabledReason"], "gone")
      receiver.mood = { _tag: "Accepts" }
      orderIds.push(...(yield* buyAndCancel(shop, 2)))
      yield* relayRounds(2)
      assert.isEmpty(receiver.accepted)
      const json = { enabled: true }
      const on = yield* call(path, { method: "PATCH", token: merchant.token, json })
      assert.strictEqual(on.body["enabled"], true, on.text)
      assert.isNull(on.body["disabledReason"])
      orderIds.push(...(yield* buyAndCancel(shop, 1)))
      yield* relayRounds(2)
      assertAllTold(receiver, orderIds)
    }),
  )

  it.effect("is left alone for a while after it refused, and as long as it asks for", () =>
    Effect.gen(function* () {
      const shop = yield* makeShop()
      const pauseMillis = Effect.gen(function* () {
        yield* relayRounds(1)
        const tried = (yield* deliveriesOf(shop, "pending")).find(({ attempts }) => attempts !== 0)
        return Date.parse(String(tried?.["nextAttemptAt"])) - Date.parse(String(tried?.["lastAttemptAt"]))
      })
      shop.receiver.mood = { _tag: "Answers", status: 500 }
      yield* buyAndCancel(shop, 1)
      const first = yield* pauseMillis
      assert.isTrue(first >= 4_000 && first <= 6_000, `${first} ms`)
      shop.receiver.mood = { _tag: "Answers", status: 503, headers: { "retry-after": "3600" } }
      assert.strictEqual(yield* pauseMillis, 3_600_000)
      shop.receiver.mood = { _tag: "Answers", status: 503, headers: { "retry-after": "Fri, 01 Jan 2100 00:00:00 GMT" } }
      const third = yield* pauseMillis
      assert.isTrue(third >= 96_000 && third <= 144_000, `${third} ms`)
      shop.receiver.mood = { _tag: "Answers", status: 503, headers: { "retry-after": "999999999" } }
      assert.strictEqual(yield* pauseMillis, retryAfterMaxMillis)
    }),
  )

  it.effect("that accepted nothing for five days is turned off", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const shop = yield* makeShop()
      shop.receiver.mood = { _tag: "Answers", status: 500 }
      yield* buyAndCancel(shop, 1)
      yield* relayRounds(1)
      yield* sql`update webhook_relays set failing_since = failing_since - interval '121 hours'
        where webhook_id = ${shop.webhookId}`
      yield* relayRounds(1)
      const off = yield* call(`/v1/webhooks/${shop.webhookId}`, { token: shop.merchant.token })
      assert.strictEqual(off.body["disabledReason"], "failing")
    }),
  )

  it.effect("that goes on talking has accepted what it answered with 200", () =>
    Effect.gen(function* () {
      const shop = yield* makeShop()
      shop.receiver.mood = { _tag: "Talks" }
      const orderIds = yield* buyAndCancel(shop, 1)
      yield* relayRounds(1)
      assertAllTold(shop.receiver, orderIds)
      assert.strictEqual(shop.receiver.asked.length, 2)
    }),
  )

  it.effect("verifies with the old secret and the new one while a rotation is under way, then with the new one", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const shop = yield* makeShop()
      const { merchant, receiver, webhookId } = shop
      const json = { rotateSecret: true }
      const rotated = yield* call(`/v1/webhooks/${webhookId}`, { method: "PATCH", token: merchant.token, json })
      const secret = String(rotated.body["secret"])
      assert.notStrictEqual(secret, receiver.secret)
      const first = yield* buyAndCancel(shop, 1)
      yield* relayRounds(1)
      assertAllTold(receiver, first)
      receiver.secret = secret
      const second = yield* buyAndCancel(shop, 1)
      yield* relayRounds(1)
      assertAllTold(receiver, [...first, ...second])
      yield* sql`update webhooks set previous_secret_until = now() - interval '1 s' where id = ${webhookId}`
      yield* buyAndCancel(shop, 1)
      yield* relayRounds(1)
      assert.notInclude(receiver.asked.at(-1)?.signature, " ")
      assert.doesNotThrow(() => new Verifier(secret))
      assert.isEmpty(receiver.forged)
    }),
  )

  it.effect("is told of the types that it asked for alone", () =>
    Effect.gen(function* () {
      const shop = yield* makeShop({ types: ["order.cancelled"] })
      const [orderId = ""] = yield* buyAndCancel(shop, 1)
      yield* relayRounds(1)
      assert.deepStrictEqual(told(shop.receiver), new Map([[orderId, ["order.cancelled"]]]))
    }),
  )
})

layer(testServer, { excludeTestServices: true })("a webhook for which as much waits as may", (it) => {
  it.effect("is read for again once there is room, and keeps no other one from being read for", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const full = yield* makeShop()
      const other = yield* makeShop()
      yield* sql`
        insert into webhook_deliveries
          (id, webhook_id, shard, batch, position, event_id, type, subject, payload, created_at, next_attempt_at)
        select gen_random_uuid(), ${full.webhookId}::uuid, 0, 1000000 + n, 0, 'evt_x', 'x', n::text, '{}', now(), 'infinity'
        from generate_series(1, ${pendingOfWebhookMax}::integer) as n`
      const ofFull = yield* buyAndCancel(full, 2)
      const ofOther = yield* buyAndCancel(other, 2)
      yield* readOn
      yield* serveDue
      assertAllTold(other.receiver, ofOther)
      assert.isEmpty(full.receiver.asked)
      yield* sql`delete from webhook_deliveries where type = 'x'`
      yield* readOn
      yield* serveDue
      assertAllTold(full.receiver, ofFull)
    }),
  )
})

layer(testServer, { excludeTestServices: true })("webhooks that are read for together", (it) => {
  it.effect("are each told all of it, also where that is more than one statement writes", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const shop = yield* makeShop()
      const json = { url: shop.receiver.url }
      for (let number = 1; number < webhooksOfMerchantMax; number++) {
        yield* call("/v1/webhooks", { token: shop.merchant.token, json })
      }
      const orders = 40
      yield* buyAndCancel(shop, orders)
      assert.isAbove(2 * orders * webhooksOfMerchantMax, fanOutRowsMax)
      yield* readOn
      const counts = yield* sql`
        select count(*)::integer as deliveries, count(distinct event_id)::integer as events
        from webhook_deliveries group by webhook_id`
      assert.deepStrictEqual(
        counts,
        Array.from({ length: webhooksOfMerchantMax }, () => ({ deliveries: 2 * orders, events: 2 * orders })),
      )
    }),
  )

  it.effect("go on where one of them cannot be read for", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [broken, whole] = [yield* makeShop(), yield* makeShop()]
      yield* sql`update webhook_relays set cursor = 'nonsense' where webhook_id = ${broken.webhookId}`
      const orderIds = yield* buyAndCancel(whole, 1)
      assert.strictEqual((yield* Effect.exit(readOn))._tag, "Failure")
      yield* serveDue
      assertAllTold(whole.receiver, orderIds)
    }),
  )
})

layer(testServer, { excludeTestServices: true })("two relays", (it) => {
  it.effect("at once tell everything, and never overtake each other", () =>
    Effect.gen(function* () {
      const shop = yield* makeShop()
      const { receiver } = shop
      receiver.mood = { _tag: "Slow", millis: 2 }
      const relays = yield* Effect.forEach([1, 2], () => Layer.build(Layer.fresh(Relay.layer)))
      const orderIds: Array<string> = []
      const looked = new Map<string, number>()
      for (let round = 0; round < 6; round++) {
        orderIds.push(...(yield* buyAndCancel(shop, 4)))
        yield* Effect.forEach(
          relays,
          (context) => Effect.provideContext(Effect.andThen(readOn, Effect.andThen(serveDue, serveDue)), context),
          { concurrency: "unbounded" },
        )
      }
      yield* relayRounds(1)
      assertAllTold(receiver, orderIds)
      for (const { id } of receiver.accepted) looked.set(id, (looked.get(id) ?? 0) + 1)
      assert.deepStrictEqual(new Set(looked.values()), new Set([1]), "nobody died, so nothing came twice")
    }),
  )

  it.effect("never have the same webhook, unless the lease of one has ended", () =>
    Effect.gen(function* () {
      const shop = yield* makeShop()
      const [one, two] = yield* Effect.forEach([1, 2], () => Layer.build(Layer.fresh(Relay.layer)))
      assert.exists(one)
      assert.exists(two)
      yield* buyAndCancel(shop, 1)
      yield* letTimePass
      yield* readOn
      const claim = Effect.flatMap(Relay, (relay) => relay.claim(10))
      assert.deepStrictEqual(yield* Effect.provideContext(claim, one), [shop.webhookId])
      assert.deepStrictEqual(yield* Effect.provideContext(claim, two), [])
      yield* letTimePass
      assert.deepStrictEqual(yield* Effect.provideContext(claim, two), [shop.webhookId])
    }),
  )
})
