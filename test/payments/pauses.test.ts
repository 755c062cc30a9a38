import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import { SecureRandom } from "effect/crypto"
import { PaymentId } from "../../src/domain/ids.ts"
import { paymentMethodOf } from "../../src/http/handlers/payments.ts"
import { reconcilePauseMaxMillis, reconcilePauseMillis, reconcilePausesMax } from "../../src/payments/paymentBounds.ts"
import { makePauses } from "../../src/payments/pauses.ts"

const newId = () => PaymentId.make(SecureRandom.uuidV7Unsafe())

it("a payment is left alone for longer after each look that did not end it, up to a bound, and then as at first", () => {
  const pauses = makePauses()
  const id = newId()
  assert.isTrue(pauses.isOver(id, 0))
  let nowMillis = 0
  let lengthMillis = reconcilePauseMillis
  for (let look = 0; look < 20; look++) {
    assert.strictEqual(pauses.add(id, nowMillis), look === 0)
    assert.isFalse(pauses.isOver(id, nowMillis + lengthMillis - 1))
    assert.isTrue(pauses.isOver(id, nowMillis + lengthMillis))
    nowMillis += lengthMillis
    lengthMillis = Math.min(lengthMillis * 2, reconcilePauseMaxMillis)
  }
  assert.strictEqual(lengthMillis, reconcilePauseMaxMillis)
  pauses.end(id)
  assert.isTrue(pauses.isOver(id, 0))
  assert.isTrue(pauses.add(id, 0))
})

it("of more payments than are remembered, the one that was left alone longest ago is forgotten", () => {
  const pauses = makePauses()
  const [first, second] = [newId(), newId()]
  pauses.add(first, 0)
  pauses.add(second, 0)
  pauses.add(first, 0)
  for (let others = 0; others < reconcilePausesMax - 1; others++) pauses.add(newId(), 0)
  assert.isTrue(pauses.isOver(second, 1))
  assert.isFalse(pauses.isOver(first, 1))
})

it("a channel says what it took elsewhere, and by which name it knows it", () => {
  assert.deepStrictEqual(
    paymentMethodOf({ method: "external", reference: "till 7" }, true),
    Result.succeed({ _tag: "External", reference: "till 7" }),
  )
  assert.deepStrictEqual(
    paymentMethodOf({ method: "success" }, true),
    Result.succeed({ _tag: "Charge", method: "success" }),
  )
  for (const body of [{ method: "external" }, { method: "success", reference: "till 7" }]) {
    const refusal = paymentMethodOf(body, true)
    assert.isTrue(Result.isFailure(refusal) && refusal.failure.code === "invalid")
  }
})
