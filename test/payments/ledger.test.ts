import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import { PaymentGateway } from "../../src/payments/PaymentGateway.ts"
import { PaymentSimulator } from "../../src/payments/simulator/server.ts"
import { ledgerAt, until } from "./paying.ts"
import { newPayment, provider } from "./provider.ts"

const fileOf = (folder: string) => `${folder}/charges.ndjson`

layer(NodeServices.layer, { excludeTestServices: true })("the provider's ledger", (it) => {
  it.effect("knows at the next start what was charged, refunded and ended, in a line each", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = `${yield* files.makeTempDirectoryScoped()}/ledger`
      const [charged, refunded, underWay] = [newPayment(), newPayment(), newPayment()]
      const run = <A, E>(work: Effect.Effect<A, E, PaymentGateway | PaymentSimulator>) =>
        Effect.provide(work, Layer.fresh(provider({ folder })))
      yield* run(
        Effect.gen(function* () {
          const gateway = yield* PaymentGateway
          for (const payment of [charged, refunded]) yield* gateway.charge({ ...payment, method: "success" })
          yield* gateway.refund(refunded)
          yield* gateway.charge({ ...underWay, method: "late_success" })
        }),
      )
      assert.strictEqual((yield* files.readFileString(fileOf(folder))).trim().split("\n").length, 4)
      // Cut off in the middle of a line, as by kill -9: nobody was told of it.
      yield* files.writeFileString(fileOf(folder), `{"paymentId":"0192`, { flag: "a" })
      const left = yield* run(
        Effect.gen(function* () {
          const [gateway, { url }] = [yield* PaymentGateway, yield* PaymentSimulator]
          assert.strictEqual((yield* gateway.charge({ ...charged, method: "success" })).status, "succeeded")
          assert.strictEqual((yield* gateway.refund(refunded)).status, "refunded")
          assert.strictEqual((yield* gateway.find(underWay))?.status, "processing")
          return yield* ledgerAt(url)
        }),
      )
      assert.deepStrictEqual(
        [charged, refunded, underWay].map(({ paymentId }) => {
          const charge = left.find((one) => one.paymentId === paymentId)
          return [charge?.charges, charge?.refunds]
        }),
        [
          [1, 0],
          [1, 1],
          [0, 0],
        ],
      )
      assert.strictEqual((yield* files.readFileString(fileOf(folder))).trim().split("\n").length, 3)
    }),
  )

  it.effect("goes on with what takes its time", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = yield* files.makeTempDirectoryScoped()
      const payment = newPayment()
      const paces = { soonMillis: 1_500, lateMillis: 600_000, silenceMillis: 5_000 }
      const run = <A, E>(work: Effect.Effect<A, E, PaymentGateway>) =>
        Effect.provide(work, Layer.fresh(provider({ folder, paces })))
      yield* run(Effect.flatMap(PaymentGateway, (gateway) => gateway.charge({ ...payment, method: "delayed" })))
      yield* run(
        Effect.flatMap(PaymentGateway, (gateway) =>
          until("it is charged", gateway.find(payment), (charge) => charge?.status === "succeeded"),
        ),
      )
    }),
  )

  it.effect("that is damaged stops the start with a sentence", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const folder = yield* files.makeTempDirectoryScoped()
      yield* files.writeFileString(fileOf(folder), "nonsense\n")
      const error = yield* Effect.flip(
        Effect.provide(
          Effect.map(PaymentSimulator, ({ url }) => url),
          provider({ folder }),
        ),
      )
      assert.match(error.message, /ledger .*charges\.ndjson is damaged/)
    }),
  )
})
