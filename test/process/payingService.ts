/**
 * A service that takes its payments from a provider in another process, and what each of them has of every payment.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { ShopClient } from "../../src/demo/ShopClient.ts"
import { ledgerAt } from "../payments/paying.ts"
import { startCommand, startService, until } from "./serviceProcess.ts"

const paymentSecret = "whsec_b25seS10aGVzZS10ZXN0cy1rbm93LXRoaXMtc2VjcmV0"

/** The provider tells nobody by itself, so that what the service does not write down it has to find out. */
export const startProvider = Effect.fnUntraced(function* (folder: string, port = "0") {
  const { output, running } = yield* startCommand(
    folder,
    ["payment-simulator", "--port", port, "--data", `${folder}/provider`],
    { settings: { HEDONIFY_PAYMENT_SECRET: paymentSecret } },
  )
  const banner = /The payment simulator serves (http:\S+)/
  yield* until(
    "the provider says where it is",
    Effect.sync(() => banner.test(output())),
  )
  return { child: running.child, url: banner.exec(output())?.[1] ?? "" }
})

export const startPayingService = (folder: string, providerUrl: string) =>
  startService(folder, {
    settings: { HEDONIFY_PAYMENT_URL: providerUrl, HEDONIFY_PAYMENT_SECRET: paymentSecret },
  })

type Json = Readonly<Record<string, unknown>>

/** 0 where nobody answers any more. */
interface Answer {
  readonly status: number
  readonly body: Json
}

const lost: Answer = { status: 0, body: {} }

const request = (url: string, token: string, init: RequestInit = {}) =>
  Effect.promise((signal) =>
    fetch(url, {
      ...init,
      signal,
      headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...init.headers },
    }).then(
      (response) =>
        response.json().then(
          (body: Json): Answer => ({ status: response.status, body }),
          () => lost,
        ),
      () => lost,
    ),
  )

export const pay = (url: string, token: string, orderId: string, method: string) =>
  request(`${url}/v1/orders/${orderId}/payments`, token, {
    method: "POST",
    headers: { "idempotency-key": `pay ${orderId}` },
    body: JSON.stringify({ method }),
  })

export const cancel = (url: string, token: string, orderId: string) =>
  request(`${url}/v1/orders/${orderId}/cancel`, token, { method: "POST" })

export interface PaidOrder {
  readonly status: string
  readonly payments: ReadonlyArray<{ readonly id: string; readonly status: string }>
}

export const orderAt = Effect.fnUntraced(function* (url: string, token: string, orderId: string) {
  const { body, status } = yield* request(`${url}/v1/orders/${orderId}`, token)
  assert.strictEqual(status, 200)
  return body as unknown as PaidOrder
})

let keys = 0

/** So many orders of this product that are not paid yet. */
export const reserve = Effect.fnUntraced(function* (token: string, productId: string, count: number) {
  const client = yield* ShopClient
  return yield* Effect.forEach(
    Array.from({ length: count }, () => `order ${keys++}`),
    Effect.fnUntraced(function* (key) {
      const answer = yield* client.place({ token, productId, key, quantity: 1 })
      assert.strictEqual(answer._tag, "Placed")
      return answer._tag === "Placed" ? answer.orderId : ""
    }),
    { concurrency: 16 },
  )
})

const isOpen = ({ status }: PaidOrder["payments"][number]) => status === "processing" || status === "refunding"

/** Waits until nothing is open any more, and holds both sides' books against each other; their payments. */
export const reconciled = Effect.fnUntraced(function* (
  service: { readonly url: string },
  providerUrl: string,
  token: string,
  orderIds: ReadonlyArray<string>,
) {
  const look = Effect.forEach(orderIds, (id) => orderAt(service.url, token, id), { concurrency: 16 })
  yield* until(
    "every payment has come to its end",
    Effect.map(look, (orders) => !orders.some(({ payments }) => payments.some(isOpen))),
  )
  const charges = new Map((yield* ledgerAt(providerUrl)).map((charge) => [charge.paymentId, charge]))
  const orders = yield* look
  for (const [index, { payments, status }] of orders.entries()) {
    const kept = payments.map(({ id }) => (charges.get(id)?.charges ?? 0) - (charges.get(id)?.refunds ?? 0))
    const sum = kept.reduce((total, units) => total + units, 0)
    assert.strictEqual(sum, status === "paid" ? 1 : 0, `${orderIds[index]} is ${status}, ${JSON.stringify(payments)}`)
    for (const { id } of payments) {
      assert.isAtMost(charges.get(id)?.charges ?? 0, 1)
      assert.isAtMost(charges.get(id)?.refunds ?? 0, 1)
    }
  }
  // Nobody was charged for a payment that the service does not know.
  const known = new Set(orders.flatMap(({ payments }) => payments.map(({ id }) => id)))
  assert.deepStrictEqual(
    [...charges.keys()].filter((id) => !known.has(id)),
    [],
  )
  return orders
})
