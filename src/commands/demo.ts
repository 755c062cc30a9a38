/**
 * `hedonify demo`: a flash sale a person can watch, against a service of its own or the one at `--url`, and whether
 * what everybody was told is what the service has. It ends with 1 where anything contradicts.
 *
 * Ten buyers share an account, each with a key of its own: an account a buyer would make the crowd wait for password
 * hashes far longer than the sale lasts.
 */
import { Clock, Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { productUnitsMax } from "../domain/bounds.ts"
import { openAccounts, signUpsAtOnce } from "../demo/accounts.ts"
import { settleUp } from "../demo/aftermath.ts"
import { contradictions, unsettled } from "../demo/audit.ts"
import { drawCrowd, type Visit, visit } from "../demo/crowd.ts"
import { ownServer } from "../demo/ownServer.ts"
import { whileShowing } from "../demo/progress.ts"
import { aftermathLine, aftermathLines, progressLine, resultLines } from "../demo/report.ts"
import { ShopClient } from "../demo/ShopClient.ts"
import { verdictOn } from "../demo/verification.ts"
import { Configuration } from "../platform/Configuration.ts"
import { demoAccounts } from "./demoCatalogue.ts"
import { RunFailed } from "./RunFailed.ts"
import { knownPassword } from "./seed.ts"

const buyersAnAccount = 10
const buyersMax = 100_000
/** Sockets at once, as of a proxy in front of the crowd; whoever has none waits, and its clock runs. */
const connectionsMax = 512
const contradictionsShownMax = 20

interface Sale {
  readonly buyers: number
  readonly units: number
  readonly seed: number
  readonly email: string
  readonly password: string
}

/** Everybody at once; the line counts what buyers were told. */
const rush = Effect.fnUntraced(function* (sale: Sale, productId: string, tokens: ReadonlyArray<string>) {
  const { buyers, seed, units } = sale
  const crowd = yield* drawCrowd({ buyers, tokens, seed, keyPrefix: productId })
  let done = 0
  let unitsSold = 0
  const one = (buyer: (typeof crowd)[number]) =>
    Effect.tap(visit(buyer, productId), ({ told }) =>
      Effect.sync(() => {
        done += 1
        if (told.some(({ _tag }) => _tag === "Bought")) unitsSold += buyer.quantity
      }),
    )
  const startedAt = yield* Clock.monotonicTimeNanos
  const visits = yield* whileShowing(
    () => progressLine({ buyers, done, units, unitsSold }),
    Effect.forEach(crowd, one, { concurrency: "unbounded" }),
  )
  return { visits, seconds: Number((yield* Clock.monotonicTimeNanos) - startedAt) / 1e9 }
})

const sell = Effect.fnUntraced(function* (sale: Sale, productId: string) {
  const client = yield* ShopClient
  const tokens = yield* openAccounts(Math.ceil(sale.buyers / buyersAnAccount))
  yield* Console.log(`${sale.buyers} buyers want ${sale.units} units (seed ${sale.seed}); the sale is open.`)
  const { seconds, visits } = yield* rush(sale, productId, tokens)
  const stock = yield* client.stockOf(productId)
  const orders = (yield* Effect.forEach(tokens, client.ordersOf, { concurrency: signUpsAtOnce })).flat()
  yield* Console.log(["", ...resultLines(visits, orders.length, stock, seconds), ""].join("\n"))
  const wrong = contradictions(visits, orders, stock)
  return { productId, wrong: [...wrong, ...(yield* settle(sale, productId, tokens, visits))] }
})

/** Buyers pay or do not, and what comes back goes to those who wait. */
const settle = Effect.fnUntraced(function* (
  { buyers, seed }: Sale,
  productId: string,
  tokens: ReadonlyArray<string>,
  visits: ReadonlyArray<Visit>,
) {
  const client = yield* ShopClient
  yield* Console.log("Now they pay, or do not; what nobody pays for goes to those who wait.")
  let line = ""
  const aftermath = yield* whileShowing(
    () => line,
    settleUp({
      visits,
      tokens,
      productId,
      seed,
      reservationSeconds: reservationSecondsOf(buyers),
      concurrency: signUpsAtOnce * 4,
      onLook: (statuses, offersTaken) => {
        line = aftermathLine(statuses, offersTaken)
      },
    }),
  )
  const stock = yield* client.stockOf(productId)
  yield* Console.log(["", ...aftermathLines(aftermath, stock), ""].join("\n"))
  return unsettled(aftermath.statuses, stock)
})

/** Short enough to watch, longer than the rush of so many buyers. */
const reservationSecondsOf = (buyers: number): number => Math.max(20, Math.ceil(buyers / 100))

/** A shop that lives on gets its shelf back as it was; accounts and orders stay. */
const hold = Effect.fnUntraced(function* (sale: Sale, isOwn: boolean) {
  const client = yield* ShopClient
  const merchant = yield* client.signIn(sale.email, sale.password)
  const productId = yield* client.createProduct(merchant, `Flash sale of ${sale.units}`, sale.units, {
    reservationTtlSeconds: reservationSecondsOf(sale.buyers),
  })
  const tidyUp = isOwn ? Effect.void : client.archiveProduct(merchant, productId)
  return yield* Effect.ensuring(sell(sale, productId), tidyUp)
})

/** The last word: what buyers were told against what the service has, and the service's own books. */
const judge = Effect.fnUntraced(function* (productId: string, wrong: ReadonlyArray<string>, isOwn: boolean) {
  const verdict = yield* verdictOn(productId, isOwn)
  yield* Console.log(
    [
      wrong.length === 0 ? "answers: every one agrees with the orders and the stock of the service." : "answers:",
      ...wrong.slice(0, contradictionsShownMax).map((sentence) => `  ${sentence}`),
      ...(wrong.length > contradictionsShownMax ? [`  and ${wrong.length - contradictionsShownMax} more`] : []),
      ...verdict.lines,
    ].join("\n"),
  )
  if (wrong.length > 0 || !verdict.holds) return yield* new RunFailed({ message: "The promise is broken." })
})

const against = (url: string, sale: Sale, isOwn: boolean) =>
  Effect.gen(function* () {
    const { productId, wrong } = yield* hold(sale, isOwn)
    yield* judge(productId, wrong, isOwn)
  }).pipe(Effect.provide(ShopClient.layer(url, { connectionsMax })))

const againstOwnServer = (sale: Sale) =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* Console.log("Starting a service with a database of its own.")
      const { dataFolder, url } = yield* ownServer
      const configuration = Configuration.layerOf({ HEDONIFY_DATA_DIR: dataFolder })
      yield* against(url, sale, true).pipe(Effect.provide(configuration))
    }),
  )

const flags = {
  url: Flag.String("url").pipe(
    Flag.withDescription("The service to sell on; without it the demo starts one and removes it afterwards"),
    Flag.optional,
  ),
  buyers: Flag.Int("buyers").pipe(
    Flag.withDescription("How many want to buy"),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: buyersMax }))),
    Flag.withDefault(2_000),
  ),
  units: Flag.Int("units").pipe(
    Flag.withDescription("How many units there are"),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: productUnitsMax }))),
    Flag.withDefault(500),
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("Draws the same crowd again"), Flag.withDefault(1)),
  email: Flag.String("merchant-email").pipe(
    Flag.withDescription("An approved merchant at --url"),
    Flag.withDefault(demoAccounts.merchant.email),
  ),
  password: Flag.String("merchant-password").pipe(
    Flag.withDescription("Its password"),
    Flag.withDefault(knownPassword),
  ),
}

export const demoCommand = Command.make("demo", flags, ({ url, ...sale }) =>
  Option.match(url, {
    onNone: () => againstOwnServer(sale),
    onSome: (given) => against(given.replace(/\/+$/, ""), sale, false).pipe(Effect.provide(Configuration.layer)),
  }),
).pipe(Command.withDescription("Hold a flash sale that you can watch, and check every answer against the books"))
