/**
 * The planner, sentence by sentence: what a caller of each command would see.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Command, Hold, Release, Reserve, Restock } from "../../src/domain/commands.ts"
import type { ProductId } from "../../src/domain/ids.ts"
import { type OrderRefusal, orderRefusalOrder } from "../../src/domain/refusals.ts"
import { writes } from "../../src/inventory/planner.ts"
import { planScene, verdictsOf } from "./planning.ts"
import type { Verdict, World, WorldHold, WorldProduct } from "./referenceModel.ts"
import { attemptId, callerId, fingerprint, movementId, nowMillis, orderId, productId, returnId } from "./worlds.ts"

const lamp = productId(1)
const chair = productId(2)
const nothing = productId(50)

const product = (id: ProductId, change: Partial<WorldProduct> = {}): WorldProduct => ({
  productId: id,
  price: 100,
  currency: "EUR",
  limitPerCustomer: null,
  saleStartsAtMillis: null,
  paused: false,
  archived: false,
  stocked: 3,
  available: 3,
  ...change,
})

const world = (change: Partial<World> = {}): World => ({
  nowMillis,
  products: [product(lamp), product(chair)],
  orders: [],
  movements: [],
  holds: [],
  returns: [],
  units: [],
  ...change,
})

let made = 0
const nextNumber = (): number => (made += 1)

type Wanted = ReadonlyArray<readonly [ProductId, number]>
const linesOf = (wanted: Wanted) => wanted.map(([id, quantity]) => ({ productId: id, quantity }))

const reserve = (wanted: Wanted, change: Partial<Reserve> = {}): Reserve => {
  const number = nextNumber()
  return {
    _tag: "Reserve",
    caller: callerId(1),
    key: `order ${number}`,
    fingerprint: fingerprint(number),
    orderId: orderId(number),
    customer: "ann",
    customerRef: null,
    lines: linesOf(wanted),
    held: [],
    expectedTotal: null,
    reservationTtlMillis: 60_000,
    ...change,
  }
}

const hold = (wanted: Wanted, change: Partial<Hold> = {}): Hold => {
  const number = nextNumber()
  return {
    _tag: "Hold",
    caller: callerId(1),
    key: `order ${number}`,
    fingerprint: fingerprint(number),
    attempt: attemptId(1),
    customer: "ann",
    lines: linesOf(wanted),
    holdTtlMillis: 30_000,
    ...change,
  }
}

const release = ({ attempt, caller, fingerprint: of, key, lines }: Hold): Release => {
  const productIds = lines.map((line) => line.productId)
  return { _tag: "Release", caller, key, fingerprint: of, attempt, productIds, onlyExpired: false }
}

/** The rows that an earlier Hold left. */
const rowsOf = ({ attempt, caller, customer, fingerprint: of, key, lines }: Hold): ReadonlyArray<WorldHold> =>
  lines.map((line) => ({ ...line, caller, key, fingerprint: of, customer, attempt, unitPrice: 100, isExpired: false }))

const restock = (id: ProductId, delta: number, change: Partial<Restock> = {}): Restock => {
  const number = nextNumber()
  return {
    _tag: "Restock",
    caller: callerId(1),
    key: `movement ${number}`,
    fingerprint: fingerprint(number),
    movementId: movementId(number),
    productId: id,
    kind: delta >= 0 ? "received" : "writtenOff",
    delta,
    reason: null,
    ...change,
  }
}

const verdicts = (given: World, ...batch: ReadonlyArray<Command>): ReadonlyArray<Verdict> =>
  verdictsOf(planScene({ world: given, batch }), batch)

/** Each command's end in a word: its refusal's code, or what became of it. */
const ends = (given: World, ...batch: ReadonlyArray<Command>): ReadonlyArray<string> =>
  verdicts(given, ...batch).map((verdict) => (verdict._tag === "Refused" ? verdict.refusal.code : verdict._tag))

const refusalOf = (given: World, command: Command) => {
  const [verdict] = verdicts(given, command)
  return verdict?._tag === "Refused" ? verdict.refusal : assert.fail(`not refused: ${verdict?._tag}`)
}

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
      [at({}, [{ ...known, orderId: orderId(900) }]), withUnknown],
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
    const held = [
      { shard: 1, attempt: attemptId(1), currency: "USD", lines: [{ productId: nothing, quantity: 1, unitPrice: 1 }] },
    ]
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
    const held = [
      { shard: 1, attempt: attemptId(1), currency: "EUR", lines: [{ productId: nothing, quantity: 2, unitPrice: 7 }] },
    ]
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

describe("first come, first served", () => {
  it("the last unit goes to the first who asks", () => {
    const given = world({ products: [product(lamp, { available: 1 })] })
    assert.deepStrictEqual(ends(given, reserve([[lamp, 1]]), reserve([[lamp, 1]])), ["Placed", "out_of_stock"])
  })

  it("an impossible order starves nobody", () => {
    const impossible = reserve([
      [lamp, 3],
      [chair, 4],
    ])
    assert.deepStrictEqual(ends(world(), impossible, reserve([[lamp, 3]]), reserve([[chair, 3]])), [
      "out_of_stock",
      "Placed",
      "Placed",
    ])
  })

  it("a smaller order gets what a larger one ahead of it could not use", () => {
    assert.deepStrictEqual(ends(world(), reserve([[lamp, 4]]), reserve([[lamp, 3]])), ["out_of_stock", "Placed"])
  })

  it("a customer's limit counts what the same customer has, and takes in the same batch, and nobody else's", () => {
    const given = world({
      products: [product(lamp, { limitPerCustomer: 3, available: 10, stocked: 10 })],
      units: [{ productId: lamp, customer: "ann", units: 1 }],
    })
    const batch = [
      reserve([[lamp, 1]]),
      reserve([[lamp, 2]]),
      reserve([[lamp, 2]], { customer: "bob" }),
      reserve([[lamp, 1]]),
      reserve([[lamp, 1]]),
    ]
    assert.deepStrictEqual(ends(given, ...batch), ["Placed", "limit_exceeded", "Placed", "Placed", "limit_exceeded"])
    const [, refused] = verdicts(given, ...batch)
    assert.deepStrictEqual(refused, {
      _tag: "Refused",
      refusal: { code: "limit_exceeded", productId: lamp, allowed: 3, had: 2 },
    })
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

describe("a key", () => {
  it("known with the same request is answered with its order, whatever became of the product", () => {
    const known = reserve([[lamp, 1]])
    const given = world({ products: [product(lamp, { archived: true, available: 0 })], orders: [known] })
    assert.deepStrictEqual(verdicts(given, { ...known, orderId: orderId(901) }), [
      { _tag: "Repeated", id: known.orderId },
    ])
    assert.isFalse(writes(planScene({ world: given, batch: [known] })))
  })

  it("twice in one batch is one order", () => {
    const order = reserve([[lamp, 2]])
    const again = { ...order, orderId: orderId(902) }
    assert.deepStrictEqual(ends(world(), order, again, reserve([[lamp, 1]])), ["Placed", "Repeated", "Placed"])
  })

  it("with another request in one batch is refused", () => {
    const order = reserve([[lamp, 1]])
    const other = reserve([[lamp, 2]], { key: order.key })
    assert.deepStrictEqual(ends(world(), order, other), ["Placed", "idempotency_key_reused"])
  })

  it("of a refused order may be tried again, and may then succeed", () => {
    const order = reserve([[lamp, 4]])
    const smaller = reserve([[lamp, 3]], { key: order.key })
    assert.deepStrictEqual(ends(world(), order, order, smaller), ["out_of_stock", "out_of_stock", "Placed"])
  })

  it("of another caller is another key", () => {
    const order = reserve([[lamp, 1]])
    assert.deepStrictEqual(ends(world(), order, { ...order, caller: callerId(2), orderId: orderId(903) }), [
      "Placed",
      "Placed",
    ])
  })

  it("of an order is not a movement's", () => {
    const order = reserve([[lamp, 1]])
    assert.deepStrictEqual(ends(world(), order, restock(chair, 1, { key: order.key })), ["Placed", "Moved"])
  })
})

describe("what the batch gives back", () => {
  const held = hold([[lamp, 3]])
  const soldOut = world({ products: [product(lamp, { available: 0 }), product(chair)], holds: [...rowsOf(held)] })

  it("ends the plan before the first command that would need it", () => {
    assert.deepStrictEqual(ends(soldOut, release(held), reserve([[lamp, 1]]), reserve([[chair, 1]])), ["Done"])
    const back = { _tag: "Return", returnId: returnId(1), productId: lamp } as const
    assert.deepStrictEqual(ends(soldOut, back, reserve([[lamp, 1]])), ["Done"])
    assert.deepStrictEqual(ends(soldOut, restock(lamp, 5), reserve([[lamp, 1]])), ["Moved"])
    assert.deepStrictEqual(ends(soldOut, restock(lamp, 5), restock(lamp, -1)), ["Moved"])
  })

  it("does not keep anybody from what is there without it", () => {
    const given = world({ holds: [...rowsOf(held)] })
    assert.deepStrictEqual(ends(given, release(held), reserve([[lamp, 3]]), reserve([[chair, 4]])), [
      "Done",
      "Placed",
      "out_of_stock",
    ])
  })

  it("may be a customer's limit, too", () => {
    const given = world({
      products: [product(lamp, { limitPerCustomer: 3, available: 9, stocked: 12 })],
      holds: [...rowsOf(held)],
      units: [{ productId: lamp, customer: "ann", units: 3 }],
    })
    assert.deepStrictEqual(
      ends(given, release(held), reserve([[lamp, 1]], { customer: "bob" }), reserve([[lamp, 1]])),
      ["Done", "Placed"],
    )
  })

  it("is not expected as a level of stock, since only the commit knows it", () => {
    const given = world({ holds: [...rowsOf(held)] })
    const batch = [release(held), reserve([[lamp, 1]]), reserve([[chair, 1]])]
    assert.deepStrictEqual([...planScene({ world: given, batch }).expected], [[chair, 2]])
  })
})

describe("a Hold", () => {
  it("answers with prices and currency, and takes its units from those behind it", () => {
    assert.deepStrictEqual(verdicts(world(), hold([[lamp, 2]]))[0], {
      _tag: "Held",
      currency: "EUR",
      lines: [{ productId: lamp, quantity: 2, unitPrice: 100 }],
    })
    assert.deepStrictEqual(ends(world(), hold([[lamp, 2]]), reserve([[lamp, 2]])), ["Held", "out_of_stock"])
  })

  it("of a later attempt takes no units, and keeps the price it was held at", () => {
    const earlier = hold([[lamp, 3]])
    const given = world({ products: [product(lamp, { available: 0, price: 500 })], holds: [...rowsOf(earlier)] })
    const again = { ...earlier, attempt: attemptId(2) }
    assert.deepStrictEqual(verdicts(given, again), [
      { _tag: "Held", currency: "EUR", lines: [{ productId: lamp, quantity: 3, unitPrice: 100 }] },
    ])
    const { write } = planScene({ world: given, batch: [again] })
    assert.deepStrictEqual(write.holds, [])
    assert.deepStrictEqual(write.extensions, [{ command: again, productIds: [lamp] }])
  })

  it("takes units only for the lines that the earlier attempt had not got", () => {
    const whole = hold([
      [lamp, 2],
      [chair, 2],
    ])
    const given = world({
      products: [product(lamp, { available: 0 }), product(chair)],
      holds: rowsOf(whole).slice(0, 1),
    })
    const { write } = planScene({ world: given, batch: [{ ...whole, attempt: attemptId(2) }] })
    assert.deepStrictEqual(
      write.holds.map(({ lines }) => lines.map((line) => line.productId)),
      [[chair]],
    )
    assert.deepStrictEqual(
      write.extensions.map(({ productIds }) => productIds),
      [[lamp]],
    )
  })

  it("of an earlier attempt takes nothing from a later one", () => {
    const later = hold([[lamp, 2]], { attempt: attemptId(3) })
    const given = world({ holds: [...rowsOf(later)] })
    assert.deepStrictEqual(ends(given, { ...later, attempt: attemptId(2) }), ["Superseded"])
    assert.isFalse(writes(planScene({ world: given, batch: [{ ...later, attempt: attemptId(2) }] })))
  })

  it("is touched once a batch: what comes next for it waits for the next one", () => {
    const first = hold([[lamp, 1]])
    const other = reserve([[lamp, 1]])
    assert.deepStrictEqual(ends(world(), first, other, release(first), other), ["Held", "Placed"])
    assert.deepStrictEqual(ends(world(), first, { ...first, attempt: attemptId(2) }), ["Held"])
    assert.deepStrictEqual(ends(world(), release(first), first), ["Done"])
  })
})

describe("a movement", () => {
  it("may not write off what is sold, and says what is left", () => {
    const given = world({ products: [product(lamp, { available: 1 })] })
    assert.deepStrictEqual(refusalOf(given, restock(lamp, -2)), {
      code: "stock_is_sold",
      productId: lamp,
      available: 1,
    })
    assert.deepStrictEqual(ends(given, restock(lamp, -1), reserve([[lamp, 1]])), ["Moved", "out_of_stock"])
  })

  it("may not pass what a product can have, and says what it has", () => {
    const stocked = 2_147_483_647
    const given = world({ products: [product(lamp, { stocked })] })
    assert.deepStrictEqual(refusalOf(given, restock(lamp, 1)), { code: "stock_too_large", productId: lamp, stocked })
  })

  it("of a product that does not exist is refused, and of an archived one is not", () => {
    const given = world({ products: [product(lamp, { archived: true })] })
    assert.deepStrictEqual(ends(given, restock(nothing, 1), restock(lamp, 1)), ["unknown_product", "Moved"])
  })

  it("is made once a key", () => {
    const received = restock(lamp, 5)
    assert.deepStrictEqual(ends(world(), received, received, restock(lamp, 6, { key: received.key })), [
      "Moved",
      "Repeated",
      "idempotency_key_reused",
    ])
    assert.deepStrictEqual(ends(world({ movements: [received] }), received), ["Repeated"])
  })
})
