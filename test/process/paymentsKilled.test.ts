/**
 * `kill -9` of the service at every step of a payment. Afterwards there is no money without an order and no order
 * without its money: per payment, what was charged less what was refunded is 1 exactly where the order is paid.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { ledgerAt } from "../payments/paying.ts"
import { assertVerified, openShop, shop } from "./crowd.ts"
import { cancel, orderAt, pay, reconciled, reserve, startPayingService, startProvider } from "./payingService.ts"
import { until, workingFolder } from "./serviceProcess.ts"

const timeoutMillis = 240_000

it.live(
  "a service killed before a charge, after it, after it was written down and while money goes back loses none",
  () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const provider = yield* startProvider(folder)
      const first = yield* startPayingService(folder, provider.url)
      const { productId, token } = yield* Effect.provide(openShop(100), shop(first.url))
      const orderIds = yield* Effect.provide(reserve(token, productId, 6), shop(first.url))
      const [before, after, recorded, goingBack, givenUp, frozen] = orderIds as [
        string,
        string,
        string,
        string,
        string,
        string,
      ]
      const statusOf = (orderId: string) =>
        Effect.map(orderAt(first.url, token, orderId), (order) => `${order.status}, ${order.payments[0]?.status}`)
      const becomes = (orderId: string, status: string) =>
        until(
          `an order is ${status}`,
          Effect.map(statusOf(orderId), (seen) => seen === status),
        )
      const chargesOf = (orderId: string) =>
        Effect.gen(function* () {
          const [payment] = (yield* orderAt(first.url, token, orderId)).payments
          return (yield* ledgerAt(provider.url)).find(({ paymentId }) => paymentId === payment?.id)?.charges ?? 0
        })

      for (const paid of [recorded, goingBack]) {
        const { body } = yield* pay(first.url, token, paid, "success")
        assert.strictEqual(body["status"], "succeeded")
      }
      yield* pay(first.url, token, givenUp, "late_success")
      yield* cancelWhileFrozen(first.url, provider.child, token, [goingBack, givenUp])
      assert.strictEqual(yield* statusOf(goingBack), "refunded, refunding")
      // The provider stands still: whoever pays now is not charged, and not until the service is gone.
      const frozenPayment = yield* Effect.forkChild(pay(first.url, token, frozen, "success"))
      yield* becomes(frozen, "reserved, processing")
      provider.child.kill("SIGCONT")
      const payments = [frozenPayment]
      payments.push(yield* Effect.forkChild(pay(first.url, token, before, "timeout_before_charging")))
      payments.push(yield* Effect.forkChild(pay(first.url, token, after, "timeout_after_charging")))
      yield* becomes(before, "reserved, processing")
      yield* until(
        "the money was taken",
        Effect.map(chargesOf(after), (charges) => charges === 1),
      )
      const seen = yield* Effect.forEach([before, after, recorded], statusOf)
      const charges = yield* Effect.forEach([before, after, recorded], chargesOf)
      first.child.kill("SIGKILL")
      yield* first.ended
      yield* Effect.forEach(payments, Fiber.join)
      // Whether it came in time to each of its steps.
      assert.deepStrictEqual(seen, ["reserved, processing", "reserved, processing", "paid, succeeded"])
      assert.deepStrictEqual(charges, [0, 1, 1])

      const second = yield* startPayingService(folder, provider.url)
      const orders = yield* reconciled(second, provider.url, token, orderIds)
      assert.deepStrictEqual(
        orders.map(({ payments: [payment], status }) => `${status}, ${payment?.status}`),
        [
          "paid, succeeded",
          "paid, succeeded",
          "paid, succeeded",
          "refunded, refunded",
          "cancelled, refunded",
          "paid, succeeded",
        ],
      )
      // What was asked for under a key is told again, as it is now.
      const { body } = yield* pay(second.url, token, after, "timeout_after_charging")
      assert.deepStrictEqual([body["status"], body["id"]], ["succeeded", orders[1]?.payments[0]?.id])
      yield* assertVerified(folder)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  timeoutMillis,
)

/** Orders that are given up while the provider stands still; it does so from then on. */
const cancelWhileFrozen = (
  url: string,
  provider: { readonly kill: (signal: "SIGSTOP") => boolean },
  token: string,
  orderIds: ReadonlyArray<string>,
) =>
  Effect.andThen(
    Effect.sync(() => provider.kill("SIGSTOP")),
    Effect.forEach(orderIds, (orderId) => cancel(url, token, orderId), { discard: true }),
  )

const methods = [
  "success",
  "declined",
  "timeout_after_charging",
  "server_error",
  "delayed",
  "timeout_before_charging",
  "delayed_declined",
  "success",
]
const rounds = 3
const ordersARound = 32

it.live(
  "a service killed again and again in the middle of many payments keeps what it said, and loses no money",
  () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const provider = yield* startProvider(folder)
      let service = yield* startPayingService(folder, provider.url)
      const { productId, token } = yield* Effect.provide(openShop(1_000), shop(service.url))
      const orderIds: Array<string> = []
      const succeeded: Array<string> = []
      for (let round = 0; round < rounds; round++) {
        const reserved = yield* Effect.provide(reserve(token, productId, ordersARound), shop(service.url))
        orderIds.push(...reserved)
        const { url } = service
        let answers = 0
        const paying = yield* Effect.forkChild(
          Effect.forEach(
            reserved,
            Effect.fnUntraced(function* (orderId, index) {
              const { body, status } = yield* pay(url, token, orderId, methods[index % methods.length] ?? "success")
              if (status === 201) answers += 1
              if (body["status"] === "succeeded") succeeded.push(orderId)
              if (index % 5 === 0) yield* cancel(url, token, orderId)
            }),
            { concurrency: "unbounded", discard: true },
          ),
        )
        yield* until(
          "some are answered",
          Effect.sync(() => answers > round * 6),
        )
        service.child.kill("SIGKILL")
        yield* service.ended
        yield* Fiber.join(paying)
        assert.isBelow(answers, ordersARound, "the kill came too late")
        service = yield* startPayingService(folder, provider.url)
      }
      const orders = yield* reconciled(service, provider.url, token, orderIds)
      for (const orderId of succeeded) {
        const { status } = orders[orderIds.indexOf(orderId)] ?? { status: "unknown" }
        assert.include(["paid", "refunded"], status)
      }
      yield* assertVerified(folder)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  timeoutMillis,
)
