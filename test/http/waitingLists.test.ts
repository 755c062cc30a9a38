import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { OfferView, PlaceView } from "../../src/http/contract/waitingLists.ts"
import { assertRefused, available, cancel, edit, isReplayed, payElsewhere, placedOrder } from "./shopping.ts"
import { isViolated, verify } from "../../src/verification/verify.ts"
import { type Answer, call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

const decodePlace = Schema.decodeUnknownSync(PlaceView)
const decodeOffers = Schema.decodeUnknownSync(Schema.Array(OfferView))

const join = (token: string, productId: string, quantity: unknown) =>
  call(`/v1/products/${productId}/waitlist`, { token, json: { quantity } })
const placeOf = (token: string, productId: string) => call(`/v1/products/${productId}/waitlist`, { token })
const leave = (token: string, productId: string) =>
  call(`/v1/products/${productId}/waitlist`, { token, method: "DELETE" })
const offersOf = (token: string) =>
  Effect.map(call("/v1/offers", { token }), (answer) => {
    assert.strictEqual(answer.status, 200, answer.text)
    return decodeOffers(answer.body["data"])
  })
const until = <A, R>(look: Effect.Effect<A, never, R>, isSo: (found: A) => boolean): Effect.Effect<A, never, R> =>
  Effect.flatMap(look, (found) =>
    isSo(found) ? Effect.succeed(found) : Effect.andThen(Effect.sleep(20), until(look, isSo)),
  )

/** What came back is offered in the shard's next batch: the answer that told of it may be a moment earlier. */
const onlyOfferOf = Effect.fnUntraced(function* (token: string) {
  const [offer, ...others] = yield* until(offersOf(token), (offers) => offers.length > 0)
  assert.lengthOf(others, 0)
  return offer ?? assert.fail("nothing is offered")
})
const accept = (token: string, offerId: string, key = "accept") =>
  call(`/v1/offers/${offerId}/accept`, { token, method: "POST", headers: { "idempotency-key": key } })
const decline = (token: string, offerId: string) => call(`/v1/offers/${offerId}/decline`, { token, method: "POST" })

const booksAgree = Effect.map(verify(), (rules) => assert.deepStrictEqual(rules.filter(isViolated), []))

const placed = (answer: Answer) => {
  assert.strictEqual(answer.status, 201, answer.text)
  return decodePlace(answer.body)
}

/** A product that somebody has bought all of, and the order that did. */
const soldOut = Effect.fnUntraced(function* (stock: number, options: Readonly<Record<string, unknown>> = {}) {
  const merchant = yield* newMerchant()
  const lamp = yield* newProduct(merchant, { stock, ...options })
  const buyer = yield* newCustomer()
  const { id } = placedOrder(yield* order(buyer.token, "all", [[lamp, stock]]))
  return { merchant, lamp, buyer, orderId: id }
})

/** Ends an offer's time a moment ago, and waits for nobody: the next command of its shard or the sweeper comes for it. */
const runOut = Effect.fnUntraced(function* (offerId: string) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`update holds set expires_at = now() - interval '1 ms' where attempt = ${offerId}`
})

layer(testServer, { excludeTestServices: true })("waiting for what is sold out", (it) => {
  it.effect("those who wait stand in the order in which they came, and may leave", () =>
    Effect.gen(function* () {
      const { lamp } = yield* soldOut(2)
      const [ann, bob, eve] = [yield* newCustomer(), yield* newCustomer(), yield* newCustomer()]
      assert.deepStrictEqual(placed(yield* join(ann.token, lamp, 1)), { position: 1, quantity: 1 })
      assert.deepStrictEqual(placed(yield* join(bob.token, lamp, 2)), { position: 2, quantity: 2 })
      assert.deepStrictEqual(placed(yield* join(eve.token, lamp, 1)), { position: 3, quantity: 1 })
      assert.deepStrictEqual(placed(yield* join(ann.token, lamp, 1)), { position: 1, quantity: 1 }, "the same wish")
      assert.deepStrictEqual(placed(yield* join(ann.token, lamp, 2)), { position: 3, quantity: 2 }, "another one")
      assert.deepStrictEqual((yield* placeOf(bob.token, lamp)).body, { position: 1, quantity: 2 })
      assert.strictEqual((yield* leave(bob.token, lamp)).status, 204)
      assert.strictEqual((yield* leave(bob.token, lamp)).status, 204)
      assertRefused(yield* placeOf(bob.token, lamp), 404, "not_found")
      assert.deepStrictEqual((yield* placeOf(eve.token, lamp)).body, { position: 1, quantity: 1 })
    }),
  )

  it.effect("what comes back is offered to the first whose quantity fits, before anybody else can take it", () =>
    Effect.gen(function* () {
      const { buyer, lamp, orderId } = yield* soldOut(2)
      const [greedy, ann, eve] = [yield* newCustomer(), yield* newCustomer(), yield* newCustomer()]
      placed(yield* join(greedy.token, lamp, 3))
      placed(yield* join(ann.token, lamp, 2))
      placed(yield* join(eve.token, lamp, 1))
      const crowd = yield* Effect.forEach(Array.from({ length: 20 }), () => newCustomer())
      const orderOne = ({ token }: { readonly token: string }) => order(token, "k", [[lamp, 1]])
      const [cancelled, orders] = yield* Effect.all(
        [cancel(buyer.token, orderId), Effect.forEach(crowd, orderOne, { concurrency: "unbounded" })],
        { concurrency: "unbounded" },
      )
      assert.strictEqual(cancelled.status, 200)
      for (const answer of orders) assertRefused(answer, 409, "out_of_stock")
      const offer = yield* onlyOfferOf(ann.token)
      const { productId, quantity, unitPrice } = offer
      assert.deepStrictEqual([productId, quantity, unitPrice.amount], [lamp, 2, 100])
      assert.deepInclude(decodePlace((yield* placeOf(ann.token, lamp)).body), { position: 0, quantity: 2, offer })
      assert.deepStrictEqual(yield* offersOf(greedy.token), [])
      assert.deepStrictEqual((yield* placeOf(eve.token, lamp)).body["position"], 2, "the greedy one still waits")
      assert.strictEqual(yield* available(lamp), 0)
      const late = yield* order(eve.token, "late", [[lamp, 1]])
      assertRefused(late, 409, "out_of_stock")
      assert.isTrue(late.body["retryable"], "only an offer stands in the way")
    }),
  )

  it.effect("an offer that is accepted is an order at the price that was offered, once for each key", () =>
    Effect.gen(function* () {
      const { buyer, lamp, orderId } = yield* soldOut(1, { limitPerCustomer: 1 })
      const ann = yield* newCustomer()
      placed(yield* join(ann.token, lamp, 1))
      yield* cancel(buyer.token, orderId)
      const offer = yield* onlyOfferOf(ann.token)
      yield* edit(lamp, { price: { amount: 999, currency: "EUR" }, paused: true })
      const answers = yield* Effect.all([accept(ann.token, offer.id), accept(ann.token, offer.id)], {
        concurrency: "unbounded",
      })
      const [first, second] = answers.map(placedOrder)
      assert.strictEqual(first?.id, second?.id)
      assert.deepStrictEqual(answers.map(isReplayed).sort(), [false, true])
      assert.deepInclude(first, { status: "reserved", total: { amount: 100, currency: "EUR" } })
      assert.deepStrictEqual(
        first?.lines.map((line) => [line.productId, line.quantity]),
        [[lamp, 1]],
      )
      assert.deepStrictEqual(yield* offersOf(ann.token), [])
      assertRefused(yield* accept(ann.token, offer.id, "another key"), 409, "expired")
      assertRefused(yield* decline(ann.token, offer.id), 409, "expired")
      assert.isTrue(isReplayed(yield* accept(ann.token, offer.id)), "and its own key still tells")
      yield* edit(lamp, { paused: false })
      assert.strictEqual((yield* join(ann.token, lamp, 1)).body["code"], "limit_exceeded")
      yield* booksAgree
    }),
  )

  it.effect("somebody else's offer is nobody's", () =>
    Effect.gen(function* () {
      const { buyer, lamp, orderId } = yield* soldOut(1)
      const [ann, eve] = [yield* newCustomer(), yield* newCustomer()]
      placed(yield* join(ann.token, lamp, 1))
      yield* cancel(buyer.token, orderId)
      const offer = yield* onlyOfferOf(ann.token)
      assertRefused(yield* accept(eve.token, offer.id), 409, "expired")
      assertRefused(yield* decline(eve.token, offer.id), 409, "expired")
      assert.lengthOf(yield* offersOf(ann.token), 1)
      assert.strictEqual((yield* call(`/v1/offers/${offer.id}/accept`, { method: "POST" })).status, 401)
      assertRefused(
        yield* call(`/v1/offers/${offer.id}/accept`, { token: ann.token, method: "POST" }),
        400,
        "idempotency_key_missing",
      )
    }),
  )

  it.effect("what is declined, or whose time is over, goes to the next, and at last to anybody", () =>
    Effect.gen(function* () {
      const { buyer, lamp, orderId } = yield* soldOut(1)
      const [ann, bob, eve] = [yield* newCustomer(), yield* newCustomer(), yield* newCustomer()]
      for (const { token } of [ann, bob, eve]) placed(yield* join(token, lamp, 1))
      yield* cancel(buyer.token, orderId)
      const first = yield* onlyOfferOf(ann.token)
      assert.strictEqual((yield* decline(ann.token, first.id)).status, 200)
      const second = yield* onlyOfferOf(bob.token)
      yield* runOut(second.id)
      assertRefused(yield* accept(bob.token, second.id), 409, "expired")
      const [third] = yield* until(offersOf(eve.token), (offers) => offers.length > 0)
      assert.strictEqual((yield* decline(eve.token, third?.id ?? "")).status, 200)
      yield* until(available(lamp), (units) => units === 1)
      placedOrder(yield* order(bob.token, "anybody", [[lamp, 1]]))
      yield* booksAgree
    }),
  )

  it.effect("a delivery is offered, too, to as many as it is enough for", () =>
    Effect.gen(function* () {
      const { lamp, merchant } = yield* soldOut(1)
      const waiting = yield* Effect.forEach(Array.from({ length: 5 }), () => newCustomer())
      for (const { token } of waiting) placed(yield* join(token, lamp, 2))
      const delivered = yield* call(`/v1/products/${lamp}/stock-movements`, {
        token: merchant.token,
        json: { kind: "received", quantity: 7 },
        headers: { "idempotency-key": "delivery" },
      })
      assert.strictEqual(delivered.status, 201, delivered.text)
      for (const { token } of waiting.slice(0, 3)) yield* onlyOfferOf(token)
      for (const { token } of waiting.slice(3)) assert.deepStrictEqual(yield* offersOf(token), [])
      assert.strictEqual(yield* available(lamp), 1)
    }),
  )

  it.effect("without a waiting list nobody waits; turned off, what comes back is for anybody", () =>
    Effect.gen(function* () {
      const { buyer, lamp, orderId } = yield* soldOut(1)
      const [ann, eve] = [yield* newCustomer(), yield* newCustomer()]
      placed(yield* join(ann.token, lamp, 1))
      yield* edit(lamp, { waitlist: false })
      assertRefused(yield* join(eve.token, lamp, 1), 409, "no_waitlist")
      yield* cancel(buyer.token, orderId)
      assert.deepStrictEqual(yield* offersOf(ann.token), [])
      assert.strictEqual(yield* available(lamp), 1)
      yield* edit(lamp, { waitlist: true })
      yield* until(offersOf(ann.token), (offers) => offers.length === 1)
    }),
  )

  it.effect("what does not fit is refused", () =>
    Effect.gen(function* () {
      const { lamp } = yield* soldOut(1, { limitPerCustomer: 2 })
      const { token } = yield* newCustomer()
      assertRefused(yield* join(token, lamp, 0), 422, "invalid")
      assertRefused(yield* join(token, lamp, 10_001), 422, "invalid")
      assertRefused(yield* join(token, lamp, 3), 409, "limit_exceeded")
      assertRefused(yield* join(token, "01900000-0000-7000-8000-000000000000", 1), 404, "not_found")
      assertRefused(yield* accept(token, "01900000-0000-7000-8000-000000000000"), 409, "expired")
      assert.strictEqual((yield* call(`/v1/products/${lamp}/waitlist`, { json: { quantity: 1 } })).status, 401)
    }),
  )

  it.effect("a refunded order is offered like any other that comes back", () =>
    Effect.gen(function* () {
      const { buyer, lamp, orderId } = yield* soldOut(1)
      const ann = yield* newCustomer()
      placed(yield* join(ann.token, lamp, 1))
      assert.strictEqual((yield* payElsewhere(orderId))._tag, "Begun")
      assert.strictEqual((yield* cancel(buyer.token, orderId)).body["status"], "refunded")
      placedOrder(yield* accept(ann.token, (yield* onlyOfferOf(ann.token)).id))
    }),
  )
})
