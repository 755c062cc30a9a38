/**
 * What an order is refused for, sentence by sentence, and which refusals are worth another try.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Command } from "../../src/domain/commands.ts"
import { type OrderRefusal, orderRefusalOrder } from "../../src/domain/refusals.ts"
import {
  chair,
  ends,
  heldElsewhere,
  hold,
  lamp,
  linesOf,
  nothing,
  placed,
  product,
  refusalOf,
  reserve,
  verdicts,
  world,
  type Wanted,
  rowsOf,
} from "./cases.ts"
import type { World, WorldProduct } from "./referenceWorld.ts"
import { fingerprint, nowMillis, productId } from "./names.ts"

describe("what an order is refused for", () => {
  it("is the first in the written order: mended one by one, every refusal has its turn", () => {
    const stool = productId(3)
    const later = nowMillis + 1
    const wrong = { price: 999, limitPerCustomer: 5, available: 0, saleStartsAtMillis: later }
    const known = reserve([[nothing, 1]])
    const order = { ...known, fingerprint: fingerprint(999_999), expectedTotal: { amount: 1, currency: "EUR" } }
    const all: Wanted = [
      [lamp, 9],
      [chair, 9],
    ]
    const withUnknown = { ...order, lines: linesOf([...all, [nothing, 1]]) }
    const mixed = { ...order, lines: linesOf([...all, [stool, 1]]) }
    const sameCurrency = { ...order, lines: linesOf(all) }
    const rightTotal = (unitPrice: number) => ({
      ...sameCurrency,
      expectedTotal: { amount: 18 * unitPrice, currency: "EUR" },
    })

    const dollars = product(stool, { ...wrong, currency: "USD" })
    const at = (change: Partial<WorldProduct>, orders: World["orders"] = []): World =>
      world({
        orders,
        products: [product(lamp, { ...wrong, ...change }), product(chair, { ...wrong, ...change }), dollars],
      })
    const onSale = { saleStartsAtMillis: nowMillis }
    const mended: ReadonlyArray<readonly [World, Command]> = [
      [at({}, [placed(known)]), withUnknown],
      [at({}), withUnknown],
      [at({}), mixed],
      [at({}), sameCurrency],
      [at(onSale), sameCurrency],
      [at(onSale), rightTotal(999)],
      [at({ ...onSale, limitPerCustomer: 9 }), rightTotal(999)],
    ]
    const codes: ReadonlyArray<OrderRefusal["code"]> = orderRefusalOrder
    assert.deepStrictEqual(
      mended.map(([given, command]) => refusalOf(given, command).code),
      [...codes],
    )
    assert.deepStrictEqual(ends(at({ ...onSale, limitPerCustomer: 9, available: 9, stocked: 9 }), rightTotal(999)), [
      "Placed",
    ])
  })

  it("names every unknown product, archived ones among them", () => {
    const given = world({ products: [product(lamp, { archived: true }), product(chair)] })
    assert.deepStrictEqual(
      refusalOf(
        given,
        reserve([
          [lamp, 1],
          [chair, 1],
          [nothing, 1],
        ]),
      ),
      {
        code: "unknown_product",
        productIds: [lamp, nothing],
      },
    )
  })

  it("counts the currency of what other shards hold for it", () => {
    const held = [heldElsewhere(1, 1, "USD")]
    assert.deepStrictEqual(refusalOf(world(), reserve([[lamp, 1]], { held })), {
      code: "currency_mix",
      currencies: ["EUR", "USD"],
    })
  })

  it("says when the sale starts, and does not where a merchant paused it", () => {
    const starts = nowMillis + 1
    const early = world({ products: [product(lamp, { saleStartsAtMillis: starts })] })
    const paused = world({ products: [product(lamp, { saleStartsAtMillis: starts, paused: true })] })
    const code = "not_on_sale"
    assert.deepStrictEqual(refusalOf(early, reserve([[lamp, 1]])), {
      code,
      productId: lamp,
      saleStartsAtMillis: starts,
    })
    assert.deepStrictEqual(refusalOf(paused, reserve([[lamp, 1]])), { code, productId: lamp, saleStartsAtMillis: null })
  })

  it("is nothing from the very millisecond in which the sale starts", () => {
    assert.deepStrictEqual(
      ends(world({ products: [product(lamp, { saleStartsAtMillis: nowMillis })] }), reserve([[lamp, 1]])),
      ["Placed"],
    )
  })

  it("is a changed price where the total is not the one expected, held parts included, and says today's", () => {
    const held = [heldElsewhere(2, 7)]
    const expecting = (amount: number, currency = "EUR") =>
      reserve([[lamp, 3]], { held, expectedTotal: { amount, currency } })
    const refusal = { code: "price_changed", total: { amount: 314, currency: "EUR" } } as const
    assert.deepStrictEqual(refusalOf(world(), expecting(313)), refusal)
    assert.deepStrictEqual(refusalOf(world(), expecting(314, "USD")), refusal)
    assert.deepStrictEqual(ends(world(), expecting(314)), ["Placed"])
  })

  it("names each short line with what there is of it", () => {
    const given = world({
      products: [product(lamp, { available: 1 }), product(chair, { available: 0 }), product(productId(3))],
    })
    assert.deepStrictEqual(
      refusalOf(
        given,
        reserve([
          [lamp, 2],
          [chair, 1],
          [productId(3), 3],
        ]),
      ),
      {
        code: "out_of_stock",
        lines: [
          { productId: lamp, requested: 2, available: 1 },
          { productId: chair, requested: 1, available: 0 },
        ],
        retryable: false,
      },
    )
  })
})

describe("retryable", () => {
  const holder = hold([[lamp, 2]])

  it("only holds stand in the way: true", () => {
    const given = world({ products: [product(lamp, { available: 1 })], holds: [...rowsOf(holder)] })
    const refusal = refusalOf(given, reserve([[lamp, 3]]))
    assert.deepInclude(refusal, { code: "out_of_stock", retryable: true })
  })

  it("not even all that is held would be enough: false", () => {
    const given = world({ products: [product(lamp, { available: 1 })], holds: [...rowsOf(holder)] })
    assert.deepInclude(refusalOf(given, reserve([[lamp, 4]])), { retryable: false })
  })

  it("holds explain one line and not the other: false", () => {
    const products = [product(lamp, { available: 1 }), product(chair, { available: 1 })]
    assert.deepInclude(
      refusalOf(
        world({ products, holds: [...rowsOf(holder)] }),
        reserve([
          [lamp, 2],
          [chair, 2],
        ]),
      ),
      {
        retryable: false,
      },
    )
  })

  it("the hold is of this very batch: true", () => {
    const [, verdict] = verdicts(world(), holder, reserve([[lamp, 2]]))
    assert.deepInclude(verdict?._tag === "Refused" ? verdict.refusal : {}, { code: "out_of_stock", retryable: true })
  })

  it("an order of this very batch took the units: false", () => {
    const [, verdict] = verdicts(world(), reserve([[lamp, 2]]), reserve([[lamp, 2]]))
    assert.deepInclude(verdict?._tag === "Refused" ? verdict.refusal : {}, { code: "out_of_stock", retryable: false })
  })
})
