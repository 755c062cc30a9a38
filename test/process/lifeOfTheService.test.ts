import { NodeServices } from "@effect/platform-node"
import { PgConnection } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, type Scope } from "effect"
import { once } from "node:events"
import { type OrderAnswer, type OrderRequest, ShopClient } from "../../src/demo/ShopClient.ts"
import * as EmbeddedPostgres from "../../src/platform/embedded/embeddedPostgres.ts"
import {
  assertSameOrders,
  assertVerified,
  confirmedIds,
  makeLedger,
  openShop,
  ordersIn,
  shop,
  whileBuying,
  without,
} from "./crowd.ts"
import type { MemoryReading } from "./memoryProbe.ts"
import {
  isListening,
  type Options,
  postmasterOf,
  readiness,
  runCommand,
  type Service,
  startService,
  until,
  workingFolder,
} from "./serviceProcess.ts"
import { beginOrders, placeAtOnce } from "./sockets.ts"

/** One data folder for all of them: a service starts on what the last one left, whichever way that ended. */
class Stage extends Context.Service<
  Stage,
  { readonly folder: string; readonly start: (options?: Options) => Effect.Effect<Service, never, Scope.Scope> }
>()("hedonify/test/process/Stage") {
  static readonly layer = Layer.effect(
    Stage,
    Effect.map(workingFolder, (folder) => Stage.of({ folder, start: (options) => startService(folder, options) })),
  )
}

const stop = ({ child, ended }: Service) =>
  Effect.suspend(() => {
    child.kill("SIGTERM")
    return ended
  })

const stage = Stage.layer.pipe(Layer.provideMerge(NodeServices.layer), Layer.orDie)

layer(stage, { excludeTestServices: true, timeout: "120 seconds" })("the process", (it) => {
  it.effect("killed in the middle of a rush, keeps every order it confirmed and answers each key as it did", () =>
    Effect.gen(function* () {
      const { folder, start } = yield* Stage
      const first = yield* start()
      const ledger = makeLedger()
      const wanted = yield* Effect.gen(function* () {
        const { productId, token } = yield* openShop(400)
        const orders = Array.from({ length: 1_000 }, (_, index): OrderRequest => ({
          token,
          productId,
          key: `rush-${index}`,
          quantity: 1 + (index % 3),
        }))
        const rush = yield* Effect.forkScoped(
          Effect.forEach(orders, ledger.place, { concurrency: "unbounded", discard: true }),
        )
        yield* ledger.afterAnswers(80)
        first.child.kill("SIGKILL")
        yield* Fiber.join(rush)
        yield* first.ended
        return { orders, productId, token }
      }).pipe(Effect.provide(shop(first.url)))
      assert.isTrue(
        ledger.entries.some(({ answer }) => answer._tag === "Lost"),
        "the kill came too late",
      )

      const second = yield* start()
      yield* Effect.gen(function* () {
        const client = yield* ShopClient
        const stored = yield* ordersIn(wanted.token)
        assert.deepStrictEqual(without(confirmedIds(ledger), stored), [])
        const again = makeLedger()
        yield* Effect.forEach(wanted.orders, again.place, { concurrency: 64, discard: true })
        yield* Effect.forEach(wanted.orders, again.place, { concurrency: 64, discard: true })
        const idsOf = (key: string) =>
          new Set(
            [...ledger.entries, ...again.entries].flatMap(({ answer, request }) =>
              request.key === key && answer._tag === "Placed" ? [answer.orderId] : [],
            ),
          )
        for (const { key } of wanted.orders) assert.isAtMost(idsOf(key).size, 1, key)
        for (const { answer, request } of ledger.entries) {
          if (answer._tag !== "Placed") continue
          const answers = again.entries.filter((entry) => entry.request.key === request.key)
          const same: OrderAnswer = { ...answer, isReplayed: true }
          assert.deepStrictEqual(
            answers.map((entry) => entry.answer),
            [same, same],
          )
        }
        assertSameOrders(confirmedIds(again), yield* ordersIn(wanted.token))
        const stock = yield* client.stockOf(wanted.productId)
        assert.strictEqual(stock.available, 0)
      }).pipe(Effect.provide(shop(second.url)))
      yield* assertVerified(folder)
      yield* stop(second)
    }),
  )

  it.effect("does not serve a database that another process serves, and says so", () =>
    Effect.gen(function* () {
      const { folder, start } = yield* Stage
      const service = yield* start()
      const { errors, exitCode } = yield* runCommand(folder, ["serve"], {
        HEDONIFY_PORT: "0",
        HEDONIFY_METRICS_PORT: "0",
      })
      assert.strictEqual(
        errors,
        "Another Hedonify process serves this database: stop it first, or give this one a database of its own.",
      )
      assert.strictEqual(exitCode, 1)
      assert.strictEqual(yield* readiness(service.url), 200)
      yield* stop(service)
    }),
  )

  it.effect("says when PostgreSQL is gone, heals when it is back, and has no order that nobody was told of", () =>
    Effect.gen(function* () {
      const { folder, start } = yield* Stage
      const service = yield* start()
      const ready = Effect.map(readiness(service.url), (status) => status === 200)
      yield* Effect.gen(function* () {
        const client = yield* ShopClient
        const { productId, token } = yield* openShop(1_000_000)
        const before = yield* ordersIn(token)
        const ledger = makeLedger()
        const outages = Effect.gen(function* () {
          yield* ledger.afterAnswers(50)
          yield* endEverySession(folder)
          yield* until("the service is ready after its sessions were ended", ready)
          yield* ledger.afterAnswers(50)
          const postmaster = postmasterOf(folder)
          assert.isDefined(postmaster)
          process.kill(postmaster.processId, "SIGQUIT")
          yield* until(
            "the service says it is not ready",
            Effect.map(readiness(service.url), (s) => s === 503),
          )
          yield* until("the service is ready again", ready)
          yield* ledger.afterAnswers(50)
        })
        yield* whileBuying(ledger, { token, productId }, { buyers: 8 }, outages)

        const refused = ledger.entries.filter(({ answer }) => answer._tag !== "Placed")
        assert.isNotEmpty(refused)
        for (const { answer } of refused) {
          assert.isTrue(answer._tag === "AskAgain" && answer.saidWhen, JSON.stringify(answer))
        }
        const unknown = refused.filter(({ answer }) => answer._tag === "AskAgain" && answer.code === "outcome_unknown")
        const settled = makeLedger()
        yield* Effect.forEach(unknown, ({ request }) => settled.place(request), { discard: true })
        const known = new Set([...before, ...confirmedIds(ledger), ...confirmedIds(settled)])
        assertSameOrders(known, yield* ordersIn(token))
        const { available, stocked } = yield* client.stockOf(productId)
        assert.strictEqual(stocked - available, known.size - before.size)
      }).pipe(Effect.provide(shop(service.url)))
      yield* assertVerified(folder)
      yield* stop(service)
    }),
  )

  it.effect("told to stop, answers every request it has begun, ends with 0 and leaves no PostgreSQL behind", () =>
    Effect.gen(function* () {
      const { folder, start } = yield* Stage
      const service = yield* start()
      const postmaster = postmasterOf(folder)
      assert.isDefined(postmaster)
      yield* Effect.gen(function* () {
        const { productId, token } = yield* openShop(1_000)
        const orders = Array.from({ length: 200 }, (_, index): OrderRequest => ({
          token,
          productId,
          key: `${productId}-${index}`,
          quantity: 1,
        }))
        const begun = yield* beginOrders(service.url, orders)
        service.child.kill("SIGTERM")
        const answers = yield* Effect.all(begun, { concurrency: "unbounded" })
        assert.deepStrictEqual(
          answers.filter(({ status }) => status !== 201),
          [],
        )
      }).pipe(Effect.provide(shop(service.url)))
      const { errors, exitCode } = yield* service.ended
      assert.deepStrictEqual({ errors, exitCode }, { errors: "", exitCode: 0 })
      assert.isFalse(yield* isListening(service.url))
      assert.isFalse(yield* isListening(postmaster.url))
      assert.isUndefined(postmasterOf(folder))
      yield* assertVerified(folder)
      assert.isUndefined(postmasterOf(folder))
    }),
  )

  it.effect("too busy to look up, still lets the crowd in at the door: nobody's connection is lost", () =>
    Effect.gen(function* () {
      const { start } = yield* Stage
      const service = yield* start()
      service.child.kill("SIGSTOP")
      const doors = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 2_000 }, () => isListening(service.url)),
          { concurrency: "unbounded" },
        ),
      )
      yield* until(
        "2,000 are connected",
        Effect.sync(() => doors.pollUnsafe() !== undefined),
      ).pipe(Effect.ensuring(Effect.sync(() => service.child.kill("SIGCONT"))))
      const connected = yield* Fiber.join(doors)
      assert.lengthOf(
        connected.filter((isConnected) => isConnected),
        2_000,
      )
      yield* stop(service)
    }),
  )

  it.effect("2,000 sockets before a small mailbox are told to come back, and leave neither memory nor orders", () =>
    Effect.gen(function* () {
      const { folder, start } = yield* Stage
      const service = yield* start({
        // On a machine that is too busy to commit within the usual deadline some would hear "outcome unknown", rightly.
        settings: {
          HEDONIFY_MAILBOX_SIZE: "8",
          HEDONIFY_BATCH_SIZE_MAX: "1",
          HEDONIFY_ORDER_DEADLINE: "15 seconds",
        },
        nodeArguments: ["--expose-gc", "--import", new URL("memoryProbe.ts", import.meta.url).href],
      })
      yield* Effect.gen(function* () {
        const { productId, token } = yield* openShop(1_000_000)
        const before = yield* ordersIn(token)
        const rush = (round: number) =>
          placeAtOnce(
            service.url,
            Array.from({ length: 2_000 }, (_, index) => ({
              token,
              productId,
              key: `${productId}-${round}-${index}`,
              quantity: 1,
            })),
          )
        const warm = yield* rush(0)
        const heapBefore = yield* collectedHeapBytes(service)
        const answers = [...warm, ...(yield* rush(1)), ...(yield* rush(2))]
        const heapAfter = yield* collectedHeapBytes(service)

        const refused = answers.filter(({ status }) => status !== 201)
        assert.isNotEmpty(refused)
        for (const { body, retryAfter, status } of refused) {
          assert.deepStrictEqual({ status, retryAfter }, { status: 503, retryAfter: "1" }, body)
          assert.include(body, '"code":"busy"')
        }
        assert.isAtMost(heapAfter, heapBefore * 1.2)
        const stored = yield* ordersIn(token)
        assert.strictEqual(stored.size - before.size, answers.length - refused.length)
      }).pipe(Effect.provide(shop(service.url)))
      yield* assertVerified(folder)
      yield* stop(service)
    }),
  )
})

/** As an administrator would, and as a failover does. */
const endEverySession = (folder: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const address = yield* EmbeddedPostgres.acquire({ dataFolder: `${folder}/.data`, fsync: true })
      const connection = yield* PgConnection.make(address)
      yield* connection.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'hedonify' and pid <> pg_backend_pid()",
      )
    }),
  )

const collectedHeapBytes = ({ child }: Service) =>
  Effect.promise(async () => {
    const answer = once(child, "message")
    child.send("read")
    const [reading]: ReadonlyArray<MemoryReading> = await answer
    return reading?.heapUsedBytes ?? Number.NaN
  })
