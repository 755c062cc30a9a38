import { assert, describe, it } from "@effect/vitest"
import { type Exchange, scriptOf } from "./script.ts"

const product = "01a216eb-bc0c-7716-9bce-1f8dde36fc1d"
const order = "01a216eb-c1d0-7e0f-8b1a-0a1b2c3d4e5f"
const names = [
  [product, "PRODUCT_1"],
  [order, "ORDER_1"],
  ["a.token.of-customer", "CUSTOMER"],
] as const

const place: Exchange = {
  request: {
    method: "POST",
    target: "/v1/orders",
    headers: [
      ["authorization", "Bearer a.token.of-customer"],
      ["x-forwarded-for", "10.0.0.1"],
      ["content-type", "application/json"],
    ],
    body: Buffer.from(`{"note":"it's","lines":[{"productId":"${product}","quantity":1}]}`),
  },
  bytes: undefined,
  told: [{ name: "ORDER_1", nth: 1 }],
}

const cancel: Exchange = {
  request: {
    method: "POST",
    target: `/v1/orders/${order}/cancel`,
    headers: [["authorization", "Bearer a.token.of-customer"]],
    body: Buffer.from([0x7b, 0x00, 0xff]),
  },
  bytes: undefined,
  told: [],
}

describe("A failure as lines for a shell", () => {
  const lines = scriptOf([place, cancel], names, [{ name: "Few" }])

  it("makes what its names stand for before it uses them", () => {
    const places = ["ADMIN=", "MERCHANT=", "MERCHANT_1=", "PRODUCT_1=", "ANSWER="].map((start) =>
      lines.findIndex((line) => line.startsWith(start)),
    )
    assert.notInclude(places, -1)
    assert.deepStrictEqual(
      places,
      [...places].sort((left, right) => left - right),
    )
    assert.notInclude(lines.join("\n"), "OTHERCUSTOMER")
    for (const [value] of names) assert.notInclude(lines.join("\n"), value)
  })

  it("takes from an answer what a later request needs of it", () => {
    const [ordering, cancelling] = lines.slice(-2)
    assert.match(String(ordering), /; ORDER_1=\$\(echo "\$ANSWER" \| nth 1\)$/)
    assert.include(String(cancelling), `"$URL"'/v1/orders/'"$ORDER_1"'/cancel'`)
  })

  it("quotes what a shell would take apart, and writes bytes that are no text", () => {
    const [ordering, cancelling] = lines.slice(-2)
    assert.include(String(ordering), `'{"note":"it'\\''s","lines":[{"productId":"'"$PRODUCT_1"'","quantity":1}]}'`)
    assert.match(String(cancelling), /^printf '\{\\000\\377' \| curl .* --data-binary @-$/)
  })
})
