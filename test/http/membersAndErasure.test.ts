import { assert, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { assertBooksClosed, assertRefused, payElsewhere, placedOrder, putLine } from "./shopping.ts"
import { adminToken, call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

const password = "a long enough password"
const other = "another long enough password"

const signIn = (email: string, secret: string) => call("/v1/sessions", { json: { email, password: secret } })
const add = (token: string, merchantId: string, email: string) =>
  call(`/v1/merchants/${merchantId}/members`, { token, json: { email } })
const remove = (token: string, merchantId: string, accountId: string) =>
  call(`/v1/merchants/${merchantId}/members/${accountId}`, { method: "DELETE", token })
const erase = (token: string) => call("/v1/me", { method: "DELETE", token })
/** Until a request waits for a row that this transaction has locked, or is answered without waiting. */
const waitsForUs = (request: Fiber.Fiber<unknown>) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql`select 1 from pg_locks where transactionid = pg_current_xact_id()::xid and not granted`,
  ).pipe(Effect.repeat({ until: (waiting) => waiting.length > 0 || request.pollUnsafe() !== undefined }))
const emailsOf = (body: Readonly<Record<string, unknown>>) =>
  (body["data"] as ReadonlyArray<{ readonly email: string }>).map(({ email }) => email)

layer(testServer, { excludeTestServices: true })("members", (it) => {
  it.effect("one member makes another, whose token sells from the next request on and no longer once it is out", () =>
    Effect.gen(function* () {
      const owner = yield* newMerchant()
      const helper = yield* newCustomer()
      const product = { name: "Lamp", price: { amount: 100, currency: "EUR" }, stock: 1 }
      const create = call("/v1/products", { token: helper.token, json: product })
      assert.strictEqual((yield* create).status, 403)

      const added = yield* add(owner.token, owner.merchantId, helper.email.toUpperCase())
      assert.strictEqual(added.status, 201, added.text)
      assert.strictEqual(added.body["accountId"], helper.id)
      assert.strictEqual((yield* add(owner.token, owner.merchantId, helper.email)).status, 201)
      assert.strictEqual((yield* create).status, 201)
      const listed = yield* call(`/v1/merchants/${owner.merchantId}/members`, { token: helper.token })
      assert.deepStrictEqual(emailsOf(listed.body), [owner.email, helper.email])

      assert.strictEqual((yield* remove(owner.token, owner.merchantId, helper.id)).status, 204)
      assert.strictEqual((yield* create).status, 403)
      assert.strictEqual((yield* remove(owner.token, owner.merchantId, helper.id)).status, 204)
    }),
  )

  it.effect("a merchant keeps a member, even when both leave at the same instant", () =>
    Effect.gen(function* () {
      const owner = yield* newMerchant()
      const helper = yield* newCustomer()
      assertRefused(yield* remove(owner.token, owner.merchantId, owner.id), 409, "last_member")
      yield* add(owner.token, owner.merchantId, helper.email)
      const answers = yield* Effect.all(
        [remove(owner.token, owner.merchantId, owner.id), remove(helper.token, owner.merchantId, helper.id)],
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(answers.map(({ status }) => status).toSorted(), [204, 409])
    }),
  )

  it.effect("strangers see and change nothing, an admin does", () =>
    Effect.gen(function* () {
      const owner = yield* newMerchant()
      const stranger = yield* newCustomer()
      const path = `/v1/merchants/${owner.merchantId}/members`
      assertRefused(yield* call(path, { token: stranger.token }), 403, "forbidden")
      assertRefused(yield* add(stranger.token, owner.merchantId, stranger.email), 403, "forbidden")
      assertRefused(yield* remove(stranger.token, owner.merchantId, owner.id), 403, "forbidden")
      assert.deepStrictEqual(emailsOf((yield* call(path, { token: yield* adminToken() })).body), [owner.email])
    }),
  )

  it.effect("who asks for many addresses that have no account is slowed", () =>
    Effect.gen(function* () {
      const owner = yield* newMerchant()
      const answers = yield* Effect.forEach(Array.from({ length: 21 }), (_, index) =>
        add(owner.token, owner.merchantId, `nobody-${index}@example.com`),
      )
      const slowed = answers.pop()
      assert.exists(slowed)
      assertRefused(slowed, 429, "too_many_requests")
      for (const answer of answers) assertRefused(answer, 404, "not_found")
    }),
  )
})

layer(testServer, { excludeTestServices: true })("a password", (it) => {
  const change = (token: string, currentPassword: string, newPassword: string) =>
    call("/v1/me/password", { token, json: { currentPassword, newPassword } })

  it.effect("that was changed signs in, and all other sessions end", () =>
    Effect.gen(function* () {
      const { email, token } = yield* newCustomer()
      const elsewhere = String((yield* signIn(email, password)).body["token"])
      assert.strictEqual((yield* call("/v1/me", { token: elsewhere })).status, 200)
      assert.strictEqual((yield* change(token, password, other)).status, 204)
      assert.strictEqual((yield* call("/v1/me", { token })).status, 200)
      assertRefused(yield* call("/v1/me", { token: elsewhere }), 401, "unauthenticated")
      assertRefused(yield* signIn(email, password), 401, "bad_credentials")
      assert.strictEqual((yield* signIn(email, other)).status, 201)
    }),
  )

  it.effect("that is being changed signs nobody in, however the two meet", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { email, id } = yield* newCustomer()
      const another = yield* newCustomer()
      // A change as far as its last step, with a sign-in of the old password between that and its commit.
      const late = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`update accounts set password_hash = (select password_hash from accounts where id = ${another.id})
            where id = ${id}`
          yield* sql`update sessions set revoked_at = now() where account_id = ${id} and revoked_at is null`
          const fiber = yield* Effect.forkDetach(signIn(email, password))
          yield* waitsForUs(fiber)
          return fiber
        }),
      )
      assertRefused(yield* Fiber.join(late), 401, "bad_credentials")
    }),
  )

  it.effect("is guessed here no faster than at the door", () =>
    Effect.gen(function* () {
      const { email, token } = yield* newCustomer()
      assertRefused(yield* change(token, "wrong", other), 401, "bad_credentials")
      yield* Effect.forEach(Array.from({ length: 9 }), () => change(token, "wrong", other))
      assertRefused(yield* change(token, password, other), 429, "too_many_requests")
      assertRefused(yield* signIn(email, password), 429, "too_many_requests")
    }),
  )

  it.effect("must be one that a new account could have", () =>
    Effect.gen(function* () {
      const { token } = yield* newCustomer()
      assertRefused(yield* change(token, password, "short"), 422, "invalid")
    }),
  )
})

layer(testServer, { excludeTestServices: true })("an erased account", (it) => {
  it.effect("leaves its orders in the books and nothing else of it anywhere", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const admin = yield* adminToken()
      const merchant = yield* newMerchant()
      const [lamp, gone] = [yield* newProduct(merchant, { stock: 5 }), yield* newProduct(merchant, { stock: 0 })]
      const { email, id, token } = yield* newCustomer()
      const bought = placedOrder(yield* order(token, "one", [[lamp, 2]]))
      yield* payElsewhere(bought.id)
      yield* putLine(token, lamp, 1)
      const joined = yield* call(`/v1/products/${gone}/waitlist`, { token, json: { quantity: 1 } })
      assert.strictEqual(joined.status, 201, joined.text)

      const erased = yield* erase(token)
      assert.strictEqual(erased.status, 204, erased.text)
      assertRefused(yield* call("/v1/me", { token }), 401, "unauthenticated")
      assertRefused(yield* signIn(email, password), 401, "bad_credentials")
      const [row] = yield* sql`select email, name, password_hash from accounts where id = ${id}`
      assert.deepStrictEqual(row, { email: null, name: null, password_hash: null })
      assert.deepStrictEqual(yield* sql`select 1 from cart_lines where account_id = ${id}`, [])
      assert.deepStrictEqual(yield* sql`select 1 from waiting_list where account_id = ${id}`, [])
      assert.strictEqual((yield* call(`/v1/orders/${bought.id}`, { token: admin })).status, 200)
      const sent = yield* call(`/v1/orders/${bought.id}/shipments`, {
        token: merchant.token,
        json: { carrier: "Post", trackingNumber: "1" },
      })
      assert.strictEqual(sent.status, 201, sent.text)
      const again = yield* call("/v1/accounts", { json: { email, password, name: "Back" } })
      assert.strictEqual(again.status, 201, again.text)
      yield* assertBooksClosed
    }),
  )

  it.effect("comes to no merchant that it applied with at the same instant", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { id, token } = yield* newCustomer()
      // An erasure that has locked the account, as its first step does, and an application that waits for it.
      const late = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`select 1 from accounts where id = ${id} for update`
          const fiber = yield* Effect.forkDetach(call("/v1/merchants", { token, json: { name: "Late" } }))
          yield* waitsForUs(fiber)
          yield* sql`update accounts set email = null, name = null, password_hash = null, erased_at = now()
            where id = ${id}`
          return fiber
        }),
      )
      assertRefused(yield* Fiber.join(late), 401, "unauthenticated")
      assert.deepStrictEqual(yield* sql`select 1 from merchant_members where account_id = ${id}`, [])
      yield* assertBooksClosed
    }),
  )

  it.effect("gives the offer up that it had, for whoever waits next", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 0 })
      const [first, second] = [yield* newCustomer(), yield* newCustomer()]
      const path = `/v1/products/${lamp}/waitlist`
      yield* call(path, { token: first.token, json: { quantity: 1 } })
      yield* call(path, { token: second.token, json: { quantity: 1 } })
      yield* call(`/v1/products/${lamp}/stock-movements`, {
        token: merchant.token,
        headers: { "idempotency-key": "in" },
        json: { kind: "received", quantity: 1 },
      })
      const offersOf = (token: string) =>
        Effect.map(call("/v1/offers", { token }), ({ body }) => (body["data"] as ReadonlyArray<unknown>).length)
      yield* offersOf(first.token).pipe(Effect.repeat({ until: (count) => count === 1 }))
      assert.strictEqual((yield* erase(first.token)).status, 204)
      yield* offersOf(second.token).pipe(Effect.repeat({ until: (count) => count === 1 }))
      assert.strictEqual((yield* erase(second.token)).status, 204)
      yield* assertBooksClosed
    }),
  )

  it.effect("was neither an admin's nor that of a merchant's last member, and belongs to no merchant any more", () =>
    Effect.gen(function* () {
      const owner = yield* newMerchant()
      const lamp = yield* newProduct(owner, { stock: 1 })
      yield* call(`/v1/products/${lamp}/stock-movements`, {
        token: owner.token,
        headers: { "idempotency-key": "in" },
        json: { kind: "received", quantity: 1 },
      })
      assertRefused(yield* erase(yield* adminToken()), 403, "forbidden")
      assertRefused(yield* erase(owner.token), 409, "last_member")
      assert.strictEqual((yield* call("/v1/me", { token: owner.token })).status, 200)
      const helper = yield* newCustomer()
      yield* add(owner.token, owner.merchantId, helper.email)
      assert.strictEqual((yield* erase(owner.token)).status, 204)
      const listed = yield* call(`/v1/merchants/${owner.merchantId}/members`, { token: helper.token })
      assert.deepStrictEqual(emailsOf(listed.body), [helper.email])
      const movements = yield* call(`/v1/products/${lamp}/stock-movements`, { token: helper.token })
      assert.strictEqual(movements.status, 200, movements.text)
      yield* assertBooksClosed
    }),
  )
})
