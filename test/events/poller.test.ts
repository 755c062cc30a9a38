/** Whoever reads the event log while a crowd writes it gets each event once, and those of one order in their order. */
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Ref } from "effect"
import { cancel } from "../http/shopping.ts"
import { adminToken, newCustomer, newMerchant, newProduct, order, testServer } from "../http/testServer.ts"
import { eventsPage, type Told } from "./reading.ts"

const writers = 50
const ordersOfWriter = 6

layer(testServer, { excludeTestServices: true })("a poller", (it) => {
  it.effect("that reads while fifty writers write misses no event and sees none twice", () =>
    Effect.gen(function* () {
      const admin = yield* adminToken()
      const merchant = yield* newMerchant()
      const products = yield* Effect.forEach(Array.from({ length: 8 }), () => newProduct(merchant, { stock: 100_000 }))
      const customers = yield* Effect.forEach(Array.from({ length: writers }), newCustomer, { concurrency: 4 })
      const isOver = yield* Ref.make(false)

      /** Reads pages of its own size to the end of the log, again and again, until nobody writes any more. */
      const poll = Effect.fnUntraced(function* (token: string, limit: number) {
        const told: Array<Told> = []
        let after: string | undefined
        for (;;) {
          const wasOver = yield* Ref.get(isOver)
          const page = yield* eventsPage(token, { limit, ...(after === undefined ? {} : { after }) })
          told.push(...page.data)
          after = page.cursor
          if (wasOver && !page.hasMore) return told
        }
      })
      const pollers = yield* Effect.forEach(
        [
          [admin, 100],
          [admin, 7],
          [merchant.token, 1],
          [merchant.token, 33],
        ] as const,
        ([token, limit]) => Effect.forkChild(poll(token, limit)),
      )

      const write = Effect.fnUntraced(function* (token: string, writer: number) {
        return yield* Effect.forEach(Array.from({ length: ordersOfWriter }), (_, number) =>
          Effect.gen(function* () {
            const wanted = [0, number].map((more) => products[(writer + more) % products.length])
            const lines = [...new Set(wanted)].map((productId) => [productId, 1] as const)
            const placed = yield* order(token, `key-${number}`, lines)
            assert.strictEqual(placed.status, 201, placed.text)
            const id = String(placed.body["id"])
            const isCancelled = number % 3 === 0
            if (isCancelled) assert.strictEqual((yield* cancel(token, id)).status, 200)
            return isCancelled ? [`order.reserved ${id}`, `order.cancelled ${id}`] : [`order.reserved ${id}`]
          }),
        )
      })
      const written = yield* Effect.forEach(customers, ({ token }, writer) => write(token, writer), {
        concurrency: "unbounded",
      })
      yield* Ref.set(isOver, true)
      const expected = written.flat(2).sort()
      assert.isAbove(expected.length, writers * ordersOfWriter)
      for (const told of yield* Effect.forEach(pollers, Fiber.join)) {
        const seen = told
          .filter(({ type }) => type.startsWith("order."))
          .map(({ data, type }) => `${type} ${String(data["orderId"])}`)
        assert.deepStrictEqual([...seen].sort(), expected)
        assert.strictEqual(new Set(told.map(({ id }) => id)).size, told.length)
        for (const cancelled of seen.filter((line) => line.startsWith("order.cancelled"))) {
          const reserved = cancelled.replace("cancelled", "reserved")
          assert.isBelow(seen.indexOf(reserved), seen.indexOf(cancelled))
        }
      }
    }),
  )
})
