/** The service's own relay, told to nobody in particular when to look, and a receiver in another process. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { demoAccounts } from "../../src/commands/demoCatalogue.ts"
import { knownPassword } from "../../src/commands/seed.ts"
import { ShopClient } from "../../src/demo/ShopClient.ts"
import { makeReceiver } from "../webhooks/receiver.ts"
import { assertVerified, makeLedger, openShop, ordersIn, shop } from "./crowd.ts"
import { startService, until, workingFolder } from "./serviceProcess.ts"

const registered = Effect.fnUntraced(function* (url: string, target: string) {
  const client = yield* ShopClient
  const merchant = yield* client.signIn(demoAccounts.merchant.email, knownPassword)
  return yield* Effect.promise(async () => {
    const response = await fetch(`${url}/v1/webhooks`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${merchant}` },
      body: JSON.stringify({ url: target }),
    })
    assert.strictEqual(response.status, 201)
    return ((await response.json()) as { readonly secret: string }).secret
  })
})

layer(NodeServices.layer, { excludeTestServices: true, timeout: "180 seconds" })("webhooks of the process", (it) => {
  it.effect("tell a receiver of every order, also of those that were placed before the service was killed", () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const receiver = yield* makeReceiver
      receiver.mood = { _tag: "Slow", millis: 20 }
      const first = yield* startService(folder)
      const token = yield* Effect.gen(function* () {
        receiver.secret = yield* registered(first.url, receiver.url)
        const { productId, token: buyer } = yield* openShop(1_000)
        const ledger = makeLedger()
        const orders = Array.from({ length: 120 }, (_, index) => ({
          token: buyer,
          productId,
          key: `told-${index}`,
          quantity: 1,
        }))
        yield* Effect.forEach(orders, ledger.place, { concurrency: 16, discard: true })
        yield* until(
          "some were told",
          Effect.sync(() => receiver.accepted.length > 20),
        )
        first.child.kill("SIGKILL")
        yield* first.ended
        return buyer
      }).pipe(Effect.provide(shop(first.url)))
      assert.isBelow(receiver.accepted.length, 120, "the kill came too late")

      const second = yield* startService(folder)
      const placed = yield* Effect.provide(ordersIn(token), shop(second.url))
      yield* until(
        "every order was told",
        Effect.sync(() => new Set(receiver.accepted.map(({ orderId }) => orderId)).size === placed.size),
      )
      assert.deepStrictEqual(new Set(receiver.accepted.map(({ orderId }) => orderId)), placed)
      assert.deepStrictEqual(receiver.forged, [])
      yield* assertVerified(folder)
      second.child.kill("SIGTERM")
      assert.strictEqual((yield* second.ended).exitCode, 0)
    }),
  )
})
