import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { callFailuresMax } from "../../src/payments/paymentBounds.ts"
import { assertVerified, openShop, shop } from "./crowd.ts"
import { cancel, orderAt, pay, reconciled, reserve, startPayingService, startProvider } from "./payingService.ts"
import { runCommand, startService, until, workingFolder } from "./serviceProcess.ts"

const timeoutMillis = 180_000

const chargesIn = (file: string) =>
  Effect.map(
    Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(file)),
    (text) => text.split("\n").filter((line) => line.includes(`"charges":1`)).length,
  )

it.live(
  "the provider in the service's own process remembers what it charged when both are killed",
  () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const ledger = `${folder}/.data/payment-provider/charges.ndjson`
      const first = yield* startService(folder)
      const { productId, token } = yield* Effect.provide(openShop(10), shop(first.url))
      const orderIds = yield* Effect.provide(reserve(token, productId, 2), shop(first.url))
      const [charged, delayed] = orderIds as [string, string]
      assert.strictEqual((yield* pay(first.url, token, charged, "success")).body["status"], "succeeded")
      first.child.kill("SIGKILL")
      yield* first.ended
      assert.strictEqual(yield* chargesIn(ledger), 1)
      const second = yield* startService(folder)
      // Only who remembers a charge can give it back.
      assert.strictEqual((yield* cancel(second.url, token, charged)).body["status"], "refunded")
      yield* until(
        "the money is back",
        Effect.map(orderAt(second.url, token, charged), ({ payments }) => payments[0]?.status === "refunded"),
      )
      // It calls back by itself, at the port that was picked.
      const { body } = yield* pay(second.url, token, delayed, "delayed")
      assert.strictEqual(body["status"], "processing")
      yield* until(
        "the order is paid by a callback",
        Effect.map(orderAt(second.url, token, delayed), ({ status }) => status === "paid"),
      )
      yield* assertVerified(folder)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  timeoutMillis,
)

it.live(
  "while the provider is away nobody begins to pay, orders go on, and what was begun is finished when it is back",
  () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const provider = yield* startProvider(folder)
      const service = yield* startPayingService(folder, provider.url)
      const { productId, token } = yield* Effect.provide(openShop(100), shop(service.url))
      const orderIds = yield* Effect.provide(reserve(token, productId, callFailuresMax + 1), shop(service.url))
      provider.child.kill("SIGKILL")
      const answers = []
      for (const orderId of orderIds) answers.push(yield* pay(service.url, token, orderId, "success"))
      assert.deepStrictEqual(
        answers.map(({ body, status }) => [status, status === 201 ? body["status"] : body["code"]]),
        [...Array.from({ length: callFailuresMax }, () => [201, "processing"]), [503, "busy"]],
      )
      assert.deepStrictEqual((yield* orderAt(service.url, token, orderIds.at(-1) ?? "")).payments, [])
      orderIds.push(...(yield* Effect.provide(reserve(token, productId, 3), shop(service.url))))
      const back = yield* startProvider(folder, new URL(provider.url).port)
      assert.strictEqual(back.url, provider.url)
      const orders = yield* reconciled(service, provider.url, token, orderIds)
      assert.deepStrictEqual(
        orders.map(({ status }) => status),
        [...Array.from({ length: callFailuresMax }, () => "paid"), ...Array.from({ length: 4 }, () => "reserved")],
      )
      const { body } = yield* pay(service.url, token, orderIds.at(-1) ?? "", "success")
      assert.strictEqual(body["status"], "succeeded")
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  timeoutMillis,
)

it.live("the simulator says in one sentence why it cannot start", () =>
  Effect.gen(function* () {
    const folder = yield* workingFolder
    const provider = yield* startProvider(folder)
    const { port } = new URL(provider.url)
    const taken = yield* runCommand(folder, ["payment-simulator", "--port", port, "--data", `${folder}/other`])
    assert.strictEqual(taken.exitCode, 1)
    assert.match(taken.errors, /^The payment simulator cannot listen on 127\.0\.0\.1:\d+ \(.*\)\.$/)
    const nowhere = yield* runCommand(folder, ["payment-simulator", "--port", "0", "--data", "/dev/null/ledger"])
    assert.strictEqual(nowhere.exitCode, 1)
    assert.match(nowhere.errors, /^The payment simulator cannot keep its ledger in \/dev\/null\/ledger: /)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
)
