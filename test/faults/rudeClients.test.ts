import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { until } from "../process/serviceProcess.ts"
import { type Crowd, isPlaced } from "./crowd.ts"
import { whileLocked } from "./locks.ts"
import { openSockets, orderBytes, readBytes, type RudeOrder } from "./rudeSockets.ts"
import { Stage, stage } from "./stage.ts"
import { trial } from "./trial.ts"

const ordersMeanwhile = 200

const ordersOf = Effect.fnUntraced(function* ({ market }: Crowd, name: string, many: number) {
  const { people } = yield* Stage
  return Array.from({ length: many }, (_, index): RudeOrder => ({
    token: people.customer,
    key: `${market.name}-${name}-${index}`,
    lines: market.wishOf(index, index),
  }))
})

/** Whoever leaves without an answer knows nothing, and has it written down. */
const noteLost = (crowd: Crowd, orders: ReadonlyArray<RudeOrder>, invokedAtMillis: number, url: string) =>
  Effect.sync(() => {
    for (const { key, lines } of orders) {
      crowd.note({ key, lines, url, invokedAtMillis, answeredAtMillis: null, answer: { _tag: "lost" } })
    }
  })

/** Whether a writer's statement waits for a lock. */
const isCommitting = Effect.gen(function* () {
  const { database, sql } = yield* Stage
  const rows = yield* sql(
    Effect.flatMap(
      SqlClient.SqlClient,
      (client) => client`select 1 from pg_stat_activity
        where datname = ${database} and application_name = 'hedonify writer' and wait_event_type = 'Lock'`,
    ),
  )
  return rows.length > 0
})

layer(stage, { excludeTestServices: true, timeout: "120 seconds" })("clients that do not behave", (it) => {
  it.effect("send half a request, hundreds of them, and keep nobody else from buying", () =>
    trial("clients that send half a request", (crowd) =>
      Effect.gen(function* () {
        const { url } = (yield* Stage).service()
        const whole = (yield* ordersOf(crowd, "half", 300)).map(orderBytes)
        const cutAt = [20, 120, -10, -1]
        yield* openSockets(
          url,
          whole.map((bytes, index) => bytes.slice(0, cutAt[index % cutAt.length])),
        )
        yield* crowd.after(ordersMeanwhile, isPlaced)
      }).pipe(Effect.scoped),
    ),
  )

  it.effect("never read their answers, and keep nobody else from buying", () =>
    trial("clients that never read the answer", (crowd) =>
      Effect.gen(function* () {
        const { url } = (yield* Stage).service()
        const orders = yield* ordersOf(crowd, "deaf", 200)
        const invokedAtMillis = performance.now()
        yield* openSockets(url, orders.map(orderBytes))
        yield* noteLost(crowd, orders, invokedAtMillis, url)
        // More answers than any buffer on the way has room for.
        yield* openSockets(
          url,
          Array.from({ length: 20 }, () => readBytes("/openapi.json").repeat(100)),
        )
        yield* crowd.after(ordersMeanwhile, isPlaced)
      }).pipe(Effect.scoped),
    ),
  )

  it.effect("hang up while their order is being committed, and find it when they ask again", () =>
    trial("clients that hang up between commit and answer", (crowd) =>
      Effect.gen(function* () {
        const { url } = (yield* Stage).service()
        const orders = yield* ordersOf(crowd, "gone", 200)
        const invokedAtMillis = performance.now()
        yield* whileLocked(
          (sql) => sql`select * from shard_leases for update`,
          Effect.scoped(
            Effect.andThen(
              openSockets(url, orders.map(orderBytes)),
              until("their orders are being committed", isCommitting),
            ),
          ),
        )
        yield* noteLost(crowd, orders, invokedAtMillis, url)
      }),
    ).pipe(Effect.map(({ lostPlaced }) => assert.isAbove(lostPlaced, 0))),
  )

  it.effect("hang up at any moment, hundreds of them, and find what became of it when they ask again", () =>
    trial("clients that hang up at any moment", (crowd) =>
      Effect.gen(function* () {
        const { url } = (yield* Stage).service()
        const orders = yield* ordersOf(crowd, "fleeting", 400)
        const invokedAtMillis = performance.now()
        yield* Effect.forEach(
          orders,
          (order, index) =>
            openSockets(url, [orderBytes(order)]).pipe(
              Effect.andThen(Effect.repeat(turnOfTheLoop, { times: index % 40 })),
              Effect.scoped,
            ),
          { concurrency: 32, discard: true },
        )
        yield* noteLost(crowd, orders, invokedAtMillis, url)
      }),
    ),
  )
})

const turnOfTheLoop = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
