/**
 * What a customer does to pay, and what the payment provider's own books say of it.
 */
import { assert } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { PaymentView } from "../../src/http/contract/orders.ts"
import { SimulatedCharge } from "../../src/payments/simulator/Ledger.ts"
import { PaymentSimulator } from "../../src/payments/simulator/server.ts"
import { placedOrder } from "../http/shopping.ts"
import { type Answer, call, newCustomer, newMerchant, newProduct, order } from "../http/testServer.ts"

const decodePayment = Schema.decodeUnknownSync(PaymentView)
const decodeLedger = Schema.decodeUnknownSync(Schema.Struct({ data: Schema.Array(SimulatedCharge) }))

/** A customer with an order of two lamps that is not paid yet. */
export const reservedOrderOf = Effect.fnUntraced(function* (product: Readonly<Record<string, unknown>>) {
  const merchant = yield* newMerchant()
  const lamp = yield* newProduct(merchant, { stock: 5, ...product })
  const { token } = yield* newCustomer()
  const { id } = placedOrder(yield* order(token, "k", [[lamp, 2]]))
  return { id, lamp, merchant, token }
})

export const reservedOrder = reservedOrderOf({})

/** As if the order had been placed an hour earlier and its time were over. */
export const setTimeBack = (orderId: string) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) =>
      sql`update orders set created_at = created_at - interval '1 hour', expires_at = now() where id = ${orderId}`,
  )

export const pay = (token: string, orderId: string, key: string, method: string) =>
  call(`/v1/orders/${orderId}/payments`, { token, json: { method }, headers: { "idempotency-key": key } })

export const paymentIn = (answer: Answer) => {
  assert.strictEqual(answer.status, 201, answer.text)
  return decodePayment(answer.body)
}

export const orderOf = (token: string, orderId: string) =>
  Effect.map(call(`/v1/orders/${orderId}`, { token }), (answer) =>
    placedOrder({ ...answer, status: answer.status === 200 ? 201 : answer.status }),
  )

/** What the provider has of a payment: how often it was charged and refunded. */
export const chargeOf = Effect.fnUntraced(function* (paymentId: string) {
  const { url } = yield* PaymentSimulator
  return (yield* ledgerAt(url)).find((charge) => charge.paymentId === paymentId)
})

export const ledgerAt = (url: string) =>
  Effect.promise((signal) =>
    fetch(`${url}/v1/ledger`, { signal })
      .then((response) => response.json())
      .then((body) => decodeLedger(body).data),
  )

const lookAgainMillis = 25
const patienceSeconds = 20

/** Looks until it is so. */
export const until = <A, E, R>(what: string, look: Effect.Effect<A, E, R>, holds: (seen: A) => boolean) =>
  look.pipe(
    Effect.repeat({ schedule: Schedule.spaced(lookAgainMillis), until: holds }),
    Effect.timeoutOrElse({
      duration: `${patienceSeconds} seconds`,
      orElse: () => Effect.die(new Error(`it never came to be that ${what}`)),
    }),
  )
