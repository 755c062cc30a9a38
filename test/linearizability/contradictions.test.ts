/** What clients were told about orders, cancellations and restocks, and whether one correct counter can have said it. */
import { assert, describe, it } from "@effect/vitest"
import { contradictions } from "./contradictions.ts"
import type {
  AttemptAnswer,
  Cancellation,
  OrderAttempt,
  OrderHistory,
  StockMovement,
  StockReading,
  Wait,
} from "./orderHistory.ts"

type Times = readonly [invokedAt: number, answeredAt: number | null]

const attempt = (
  key: string,
  lines: Readonly<Record<string, number>>,
  [invokedAt, answeredAt]: Times,
  answer: AttemptAnswer,
): OrderAttempt => ({
  caller: "ada",
  key,
  lines: Object.entries(lines).map(([productId, quantity]) => ({ productId, quantity })),
  invokedAt,
  answeredAt,
  answer,
})
const placed = (orderId: string, expiresAt: number | null = null, isReplayed = false): AttemptAnswer => ({
  kind: "placed",
  orderId,
  expiresAt,
  isReplayed,
})
const soldOut = (productId: string, requested: number, available: number): AttemptAnswer => ({
  kind: "refused",
  code: "out_of_stock",
  lines: [{ productId, requested, available }],
  retryable: false,
})
const unknown: AttemptAnswer = { kind: "unknown" }
const busy: AttemptAnswer = { kind: "notPlaced" }
const cancel = (orderId: string, [invokedAt, answeredAt]: Times, answer: Cancellation["answer"]): Cancellation => ({
  orderId,
  invokedAt,
  answeredAt,
  answer,
})
const look = (productId: string, available: number, invokedAt: number, answeredAt = invokedAt + 1): StockReading => ({
  productId,
  available,
  invokedAt,
  answeredAt,
})
const restock = (
  key: string,
  delta: number,
  [invokedAt, answeredAt]: Times,
  answer: StockMovement["answer"],
): StockMovement => ({ productId: "lamp", key, delta, invokedAt, answeredAt, answer })

const told = (history: Partial<OrderHistory>, lamps = 2, rugs = 2): ReadonlyArray<string> =>
  contradictions(
    { attempts: [], cancellations: [], movements: [], readings: [], ...history },
    new Map([
      ["lamp", lamps],
      ["rug", rugs],
    ]),
  )
const isExplained = (...history: Parameters<typeof told>): boolean => told(...history).length === 0

describe("orders of one product", () => {
  it("all attempts under one key are one order", () => {
    const attempts = [
      attempt("k", { lamp: 2 }, [0, 1], unknown),
      attempt("k", { lamp: 2 }, [2, 3], placed("o", null, true)),
      attempt("k", { lamp: 2 }, [4, 5], placed("o", null, true)),
    ]
    assert.isTrue(isExplained({ attempts, readings: [look("lamp", 0, 6)] }))
    assert.isFalse(isExplained({ attempts, readings: [look("lamp", 2, 6)] }))
  })

  it("an order is there from the first answer that names it, not the last", () => {
    const attempts = [
      attempt("k", { lamp: 2 }, [0, 1], placed("o")),
      attempt("k", { lamp: 2 }, [5, 9], placed("o", null, true)),
    ]
    assert.isFalse(isExplained({ attempts, readings: [look("lamp", 2, 2)] }))
  })

  it("an attempt that was told busy did nothing, so its order came with a later one", () => {
    const attempts = [attempt("k", { lamp: 2 }, [0, 1], busy), attempt("k", { lamp: 2 }, [4, 5], placed("o"))]
    assert.isTrue(isExplained({ attempts, readings: [look("lamp", 2, 2)] }))
    assert.isFalse(isExplained({ attempts, readings: [look("lamp", 0, 2)] }))
  })

  it("two keys with the last unit are told of with the operations around them", () => {
    const attempts = [
      attempt("first", { lamp: 2 }, [0, 1], placed("o1")),
      attempt("second", { lamp: 1 }, [2, 3], placed("o2")),
    ]
    const [sentence = "", ...others] = told({ attempts })
    assert.deepStrictEqual(others, [])
    assert.match(sentence, /^No correct counter of lamp, of which there were 2 at first, answers so/)
    assert.match(
      sentence,
      /\n {2}0 to 1 +ada's order first \(o1\) for 2\n {2}2 to 3 +ada's order second \(o2\) for 1 {2}<- here$/,
    )
  })

  it("a key that became two orders, or was refused after it was placed, is told of", () => {
    const twice = [attempt("k", { lamp: 1 }, [0, 1], placed("o1")), attempt("k", { lamp: 1 }, [2, 3], placed("o2"))]
    assert.deepStrictEqual(told({ attempts: twice }), ["ada's order k became 2 orders."])
    const refused = [
      attempt("k", { lamp: 2 }, [0, 1], placed("o")),
      attempt("k", { lamp: 2 }, [2, 3], soldOut("lamp", 2, 0)),
    ]
    assert.deepStrictEqual(told({ attempts: refused }), ["ada's order k was placed, and a later attempt was refused."])
  })

  it("a refusal names the count it saw, and never one that would have sufficed", () => {
    const bought = attempt("one", { lamp: 1 }, [0, 1], placed("o"))
    assert.isTrue(isExplained({ attempts: [bought, attempt("two", { lamp: 2 }, [2, 3], soldOut("lamp", 2, 1))] }))
    assert.isFalse(isExplained({ attempts: [bought, attempt("two", { lamp: 2 }, [2, 3], soldOut("lamp", 2, 0))] }))
    const mistaken = told({ attempts: [attempt("two", { lamp: 2 }, [2, 3], soldOut("lamp", 2, 2))] })
    assert.deepStrictEqual(mistaken, ["ada's order two was refused 2 of lamp while 2 were left."])
  })
})

describe("orders whose outcome is unknown", () => {
  const lost = attempt("k", { lamp: 2 }, [1, null], unknown)

  it("may have been placed, or not, or be placed late", () => {
    assert.isTrue(isExplained({ attempts: [lost], readings: [look("lamp", 0, 5)] }))
    assert.isTrue(isExplained({ attempts: [lost], readings: [look("lamp", 2, 5)] }))
    assert.isTrue(isExplained({ attempts: [lost], readings: [look("lamp", 2, 5), look("lamp", 0, 7)] }))
  })

  it("may have expired unseen, unless reservations are known to last longer than the history", () => {
    const readings = [look("lamp", 0, 5), look("lamp", 2, 7)]
    assert.isTrue(isExplained({ attempts: [lost], readings }))
    assert.isTrue(isExplained({ attempts: [lost], readings, reservationAtLeast: 7 }))
    assert.isFalse(isExplained({ attempts: [lost], readings, reservationAtLeast: 60 }))
  })

  it("were not placed before a refusal that found no order under the key", () => {
    const refused = attempt("k", { lamp: 2 }, [5, 6], { kind: "refused", code: "price_changed" })
    const attempts = [lost, refused]
    assert.isFalse(isExplained({ attempts, readings: [look("lamp", 0, 3)], reservationAtLeast: 60 }))
    assert.isTrue(isExplained({ attempts, readings: [look("lamp", 0, 7)], reservationAtLeast: 60 }))
    const other = attempt("k", { lamp: 2 }, [5, 6], { kind: "refused", code: "idempotency_key_reused" })
    assert.isTrue(isExplained({ attempts: [lost, other], readings: [look("lamp", 0, 3)], reservationAtLeast: 60 }))
    assert.isTrue(
      isExplained({ attempts: [lost, attempt("k", { lamp: 2 }, [5, 6], busy)], readings: [look("lamp", 0, 3)] }),
    )
  })

  it("are not placed after the time that the client knows they were over by", () => {
    const over = attempt("k", { lamp: 2 }, [1, null], { kind: "unknown", overAt: 4 })
    const readings = [look("lamp", 2, 5), look("lamp", 0, 7)]
    assert.isFalse(isExplained({ attempts: [over], readings, reservationAtLeast: 60 }))
  })
})

describe("orders over several shards", () => {
  const both = { lamp: 2, rug: 1 }

  it("may have held units for a while where they were not placed", () => {
    const attempts = [attempt("k", both, [0, 9], soldOut("rug", 1, 0))]
    const rugsGone = [attempt("r", { rug: 2 }, [0, 1], placed("r"))]
    const readings = [look("lamp", 0, 3), look("lamp", 2, 5)]
    assert.isTrue(isExplained({ attempts: [...rugsGone, ...attempts], readings }))
    assert.isFalse(isExplained({ attempts: [attempt("k", { lamp: 2 }, [0, 9], busy)], readings }))
  })

  it("hold nothing where their products are known to share a shard, nor on their home shard", () => {
    const attempts = [attempt("k", both, [0, 9], busy)]
    const readings = [look("lamp", 0, 3), look("lamp", 2, 5)]
    const shards = (lamp: number, rug: number) => new Map(Object.entries({ lamp, rug }))
    assert.isFalse(isExplained({ attempts, readings, shards: shards(3, 3) }))
    assert.isFalse(isExplained({ attempts, readings, shards: shards(1, 3) }))
    assert.isTrue(isExplained({ attempts, readings, shards: shards(3, 1) }))
  })

  it("hold no more than once an attempt, and the placed one's hold is its order", () => {
    const attempts = [attempt("k", both, [0, 9], placed("o"))]
    assert.isTrue(isExplained({ attempts, readings: [look("lamp", 2, 3), look("lamp", 0, 5)] }))
    assert.isFalse(isExplained({ attempts, readings: [look("lamp", 0, 3), look("lamp", 2, 5)] }))
    assert.isTrue(
      isExplained({
        attempts: [attempt("k", both, [0, 1], busy), ...attempts],
        readings: [look("lamp", 0, 3), look("lamp", 2, 5)],
      }),
    )
  })

  it("are not refused by what a run saw before they joined it", () => {
    const sold = attempt("s", { lamp: 2 }, [0, 4], placed("s"))
    const refusedTogether = (first: AttemptAnswer, answeredAt: number | null) => [
      sold,
      attempt("k", { lamp: 3, rug: 1 }, [0, answeredAt], first),
      attempt("k", { lamp: 3, rug: 1 }, [6, 9], soldOut("lamp", 3, 2)),
    ]
    assert.isFalse(isExplained({ attempts: refusedTogether(unknown, null) }))
    assert.isFalse(isExplained({ attempts: refusedTogether(soldOut("lamp", 3, 2), 9) }))
    assert.isFalse(isExplained({ attempts: refusedTogether(busy, 5) }))
  })
})

describe("units that come back", () => {
  const order = attempt("k", { lamp: 2 }, [0, 1], placed("o", 10))

  it("are there when a cancellation is answered, and not before it was asked for", () => {
    const cancellations = [cancel("o", [4, 5], "cancelled")]
    assert.isTrue(isExplained({ attempts: [order], cancellations, readings: [look("lamp", 0, 2), look("lamp", 2, 6)] }))
    assert.isFalse(isExplained({ attempts: [order], cancellations, readings: [look("lamp", 0, 6)] }))
    assert.isFalse(isExplained({ attempts: [order], cancellations, readings: [look("lamp", 2, 2)] }))
  })

  it("came back with an earlier cancellation where a later one was told so", () => {
    const cancellations = [cancel("o", [4, null], "unknown"), cancel("o", [8, 9], "alreadyCancelled")]
    assert.isTrue(isExplained({ attempts: [order], cancellations, readings: [look("lamp", 2, 6)] }))
    assert.isFalse(isExplained({ attempts: [order], cancellations, readings: [look("lamp", 0, 12)] }))
  })

  it("come back once, cancelled or expired", () => {
    const again = attempt("again", { lamp: 2 }, [12, 13], placed("p"))
    const third = attempt("third", { lamp: 2 }, [14, 15], placed("q"))
    const cancellations = [cancel("o", [4, 5], "unknown")]
    assert.isTrue(isExplained({ attempts: [order, again], cancellations }))
    assert.isFalse(isExplained({ attempts: [order, again, third], cancellations }))
  })

  it("may come back from expiresAt on, at any time, and not before", () => {
    assert.isTrue(isExplained({ attempts: [order], readings: [look("lamp", 0, 20), look("lamp", 2, 30)] }))
    assert.isFalse(isExplained({ attempts: [order], readings: [look("lamp", 2, 8)] }))
    const paid = attempt("k", { lamp: 2 }, [0, 1], placed("o"))
    assert.isFalse(isExplained({ attempts: [paid], readings: [look("lamp", 2, 30)] }))
  })

  it("of another shard may come after the cancellation's answer", () => {
    const attempts = [attempt("k", { lamp: 2, rug: 1 }, [0, 1], placed("o"))]
    const cancellations = [cancel("o", [4, 5], "cancelled")]
    const readings = [look("lamp", 0, 6), look("lamp", 2, 8)]
    const shards = (lamp: number, rug: number) => new Map(Object.entries({ lamp, rug }))
    assert.isTrue(isExplained({ attempts, cancellations, readings, shards: shards(3, 1) }))
    assert.isFalse(isExplained({ attempts, cancellations, readings, shards: shards(1, 3) }))
  })
})

describe("units that are offered to who waits", () => {
  const waits = (...invokedAt: ReadonlyArray<number>): ReadonlyArray<Wait> =>
    invokedAt.map((at) => ({ caller: "ada", productId: "lamp", quantity: 2, invokedAt: at }))
  const accepted = (key: string, times: Times, answer: AttemptAnswer): OrderAttempt => ({
    ...attempt(key, { lamp: 2 }, times, answer),
    isOffered: true,
  })

  it("may be set aside at any time from the wait on, and come back at any later one", () => {
    const readings = [look("lamp", 2, 0), look("lamp", 0, 5), look("lamp", 2, 8)]
    assert.isTrue(isExplained({ waits: waits(3), readings }))
    assert.isFalse(isExplained({ waits: waits(7), readings }), "nobody waited yet")
    assert.isFalse(isExplained({ waits: [{ ...waits(3)[0], quantity: 1 } as Wait], readings }), "one unit, not two")
    assert.isFalse(isExplained({ waits: waits(3), readings: [...readings, look("lamp", 0, 11)] }), "once for each wait")
  })

  it("are gone before the order that accepts them, and are taken once", () => {
    const order = accepted("k", [6, 7], placed("o"))
    assert.isTrue(isExplained({ attempts: [order], waits: waits(1), readings: [look("lamp", 0, 3)] }))
    assert.isTrue(isExplained({ attempts: [order], waits: waits(1), readings: [look("lamp", 0, 9)] }))
    assert.isFalse(isExplained({ attempts: [order], waits: waits(1), readings: [look("lamp", 2, 9)] }))
    const back = [look("lamp", 0, 3), look("lamp", 2, 5)]
    assert.isFalse(isExplained({ attempts: [order], waits: waits(1), readings: back }), "the offer is the order's")
    assert.isTrue(isExplained({ attempts: [order], waits: waits(1, 2), readings: back }), "an offer before it lapsed")
  })

  it("may have been ordered or not where nobody heard of the acceptance", () => {
    const lost = accepted("k", [6, null], unknown)
    for (const left of [0, 2]) {
      assert.isTrue(isExplained({ attempts: [lost], waits: waits(1), readings: [look("lamp", left, 9)] }))
    }
  })

  it("come back with the order that they became", () => {
    const attempts = [accepted("k", [6, 7], placed("o"))]
    const cancellations = [cancel("o", [8, 9], "cancelled")]
    assert.isTrue(isExplained({ attempts, cancellations, waits: waits(1), readings: [look("lamp", 2, 10)] }))
    assert.isFalse(isExplained({ attempts, cancellations, waits: waits(1), readings: [look("lamp", 0, 10)] }))
  })
})

describe("stock that moves", () => {
  it("a restock is there when it is answered, once, however often it was asked for", () => {
    const movements = [
      restock("m", 3, [0, null], { kind: "unknown" }),
      restock("m", 3, [2, 3], { kind: "replayed" }),
      restock("m", 3, [4, 5], { kind: "replayed" }),
    ]
    assert.isTrue(isExplained({ movements, readings: [look("lamp", 5, 4)] }))
    assert.isFalse(isExplained({ movements, readings: [look("lamp", 8, 6)] }))
    assert.isFalse(isExplained({ movements, readings: [look("lamp", 2, 4)] }))
  })

  it("may be those of either movement that was sent under one key, where nobody knows which", () => {
    const movements = [
      restock("m", 2, [0, null], { kind: "unknown" }),
      restock("m", -1, [0, null], { kind: "unknown" }),
    ]
    for (const left of [1, 2, 4]) assert.isTrue(isExplained({ movements, readings: [look("lamp", left, 2)] }))
    assert.isFalse(isExplained({ movements, readings: [look("lamp", 0, 2)] }))
  })

  it("a write-off takes units, a refused one none, an unknown one perhaps", () => {
    const movement = (answer: StockMovement["answer"]) => [restock("m", -2, [0, 1], answer)]
    assert.isFalse(
      isExplained({ movements: movement({ kind: "moved", available: 0 }), readings: [look("lamp", 2, 2)] }),
    )
    assert.isFalse(isExplained({ movements: movement({ kind: "refused" }), readings: [look("lamp", 0, 2)] }))
    for (const left of [0, 2]) {
      assert.isTrue(isExplained({ movements: movement({ kind: "unknown" }), readings: [look("lamp", left, 2)] }))
    }
  })
})
