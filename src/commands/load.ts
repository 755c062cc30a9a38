/**
 * `hedonify load`: the k6 scenarios against a service of its own or the one at `--url`, then `verify`. Must stay true:
 * it ends with 1 where a threshold of k6 did not hold or a rule of the books is violated, and a scenario that fails
 * keeps nobody from hearing what the next one and the books say.
 */
import { Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { ownServer } from "../demo/ownServer.ts"
import { ShopClient } from "../demo/ShopClient.ts"
import { verdictOn } from "../demo/verification.ts"
import { productUnitsMax } from "../domain/bounds.ts"
import { requireK6, runK6 } from "../load/k6.ts"
import {
  browseAndBuy,
  buyersForAUnit,
  flashSale,
  orderCreation,
  type Prepared,
  removeWares,
  type Shop,
} from "../load/scenarios.ts"
import { type CannotStart, cannotStart } from "../platform/CannotStart.ts"
import { Configuration } from "../platform/Configuration.ts"
import { durationMillis } from "../platform/settingCodecs.ts"
import { demoAccounts } from "./demoCatalogue.ts"
import { RunFailed } from "./RunFailed.ts"
import { knownPassword } from "./seed.ts"

const buyersMax = 100_000
const shoppersMax = 1_000
const ordersPerSecondMaxMax = 100_000
const durationMinMillis = 1_000
const durationMaxMillis = 3_600_000
const latencyDefaultMillis = 20_000
/** Sockets for making accounts and products; k6 opens its own. */
const connectionsMax = 32

type Scenario = (shop: Shop) => Effect.Effect<Prepared, CannotStart, ShopClient>

/** What runs without a word about it. */
const defaults = { buyers: 5_000, units: 500, ordersPerSecondMax: 500, shoppers: 50, durationSeconds: 30 }

const count = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const durations = durationMillis(durationMinMillis, durationMaxMillis)

const flags = {
  buyers: Flag.Int("buyers").pipe(
    Flag.withDescription(
      `How many want to buy (${defaults.buyers}); at least ${buyersForAUnit} for each unit, so that it sells out`,
    ),
    Flag.withSchema(count(1, buyersMax)),
    Flag.withDefault(defaults.buyers),
  ),
  units: Flag.Int("units").pipe(
    Flag.withDescription(`How many units there are (${defaults.units})`),
    Flag.withSchema(count(1, productUnitsMax)),
    Flag.withDefault(defaults.units),
  ),
  ordersPerSecondMax: Flag.Int("rate").pipe(
    Flag.withDescription(`Orders a second at the end of the rise (${defaults.ordersPerSecondMax})`),
    Flag.withSchema(count(1, ordersPerSecondMaxMax)),
    Flag.withDefault(defaults.ordersPerSecondMax),
  ),
  shoppers: Flag.Int("shoppers").pipe(
    Flag.withDescription(`How many shop at once, an account each (${defaults.shoppers})`),
    Flag.withSchema(count(1, shoppersMax)),
    Flag.withDefault(defaults.shoppers),
  ),
  durationSeconds: Flag.String("duration").pipe(
    Flag.withDescription(`How long they keep coming (${defaults.durationSeconds} seconds): ${durations.allowed}`),
    Flag.withDefault(`${defaults.durationSeconds} seconds`),
    Flag.filterMap(
      (text) => Option.map(durations.read(text), (millis) => millis / 1_000),
      () => durations.allowed,
    ),
  ),
}

const load = Command.make("load").pipe(
  Command.withSharedFlags({
    url: Flag.String("url").pipe(
      Flag.withDescription("The service to press; without it one is started and removed afterwards"),
      Flag.optional,
    ),
    latencyMaxMillis: Flag.Int("p99-max-millis").pipe(
      Flag.withDescription(
        `Fails a run in which one order in a hundred waited longer for its answer (${latencyDefaultMillis}); for sanity only`,
      ),
      Flag.withSchema(count(1, durationMaxMillis)),
      Flag.withDefault(latencyDefaultMillis),
    ),
    merchantEmail: Flag.String("merchant-email").pipe(
      Flag.withDescription("An approved merchant at --url"),
      Flag.withDefault(demoAccounts.merchant.email),
    ),
    merchantPassword: Flag.String("merchant-password").pipe(
      Flag.withDescription("Its password"),
      Flag.withDefault(knownPassword),
    ),
  }),
)

/** One after the other, then the books; where one cannot run at all, nothing more is to be learned. */
const press = Effect.fnUntraced(function* (shop: Shop, scenarios: ReadonlyArray<Scenario>, isOwn: boolean) {
  const failed: Array<string> = []
  let productId = ""
  for (const scenario of scenarios) {
    const prepared = yield* scenario(shop)
    const { wares } = prepared.world
    productId = wares[0]?.id ?? productId
    yield* Console.log(`${prepared.name} begins.`)
    const holds = yield* Effect.ensuring(runK6(prepared), isOwn ? Effect.void : tidyUp(shop, wares))
    if (!holds) failed.push(prepared.name)
  }
  const verdict = yield* verdictOn(productId, isOwn)
  yield* Console.log(["", ...failed.map((name) => `k6: ${name} broke a threshold.`), ...verdict.lines].join("\n"))
  if (failed.length > 0 || !verdict.holds) return yield* new RunFailed({ message: "The load run failed." })
})

/** A shop that lives on gets its shelf back as it was; its accounts and orders stay. */
const tidyUp = (shop: Shop, wares: Prepared["world"]["wares"]) =>
  Effect.gen(function* () {
    const left = yield* removeWares(shop, wares)
    if (left > 0) yield* Console.error(`${left} of the run's ${wares.length} products could not be archived.`)
  }).pipe(Effect.catch(({ message }) => Console.error(`The run's products could not be archived: ${message}`)))

const againstOwnServer = (shop: Omit<Shop, "url">, scenarios: ReadonlyArray<Scenario>) =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* Console.log("Starting a service with a database of its own.")
      const { dataFolder, url } = yield* ownServer
      const configuration = Configuration.layerOf({ HEDONIFY_DATA_DIR: dataFolder })
      yield* press({ ...shop, url }, scenarios, true).pipe(
        Effect.provide([configuration, ShopClient.layer(url, { connectionsMax })]),
      )
    }),
  )

type Given = Omit<Shop, "url"> & { readonly url: Option.Option<string> }

const run = ({ url, ...shop }: Given, scenarios: ReadonlyArray<Scenario>) =>
  Effect.gen(function* () {
    yield* requireK6
    if (Option.isNone(url)) return yield* againstOwnServer(shop, scenarios)
    const given = url.value.replace(/\/+$/, "")
    return yield* press({ ...shop, url: given }, scenarios, false).pipe(
      Effect.provide([Configuration.layer, ShopClient.layer(given, { connectionsMax })]),
    )
  })

/** For a subcommand, which shares the flags of `load`. */
const runOne = (scenario: Scenario) => Effect.flatMap(load, (given) => run(given, [scenario]))

const { buyers, durationSeconds, ordersPerSecondMax, shoppers, units } = flags

const orderCreationCommand = Command.make("order-creation", { ordersPerSecondMax, durationSeconds }, (sizes) =>
  runOne(orderCreation(sizes)),
).pipe(Command.withDescription("Single orders over many products and accounts at a rising rate, some pressed again"))

const flashSaleCommand = Command.make("flash-sale", { buyers, units }, (sizes) =>
  sizes.buyers < buyersForAUnit * sizes.units
    ? Effect.fail(
        cannotStart(
          `A flash sale needs at least ${buyersForAUnit} buyers for each unit: ${sizes.buyers} are too few for ${sizes.units}.`,
        ),
      )
    : runOne(flashSale(sizes)),
).pipe(Command.withDescription("Thousands of buyers for few units, past sold out, with hang-ups and second presses"))

const browseAndBuyCommand = Command.make("browse-and-buy", { shoppers, durationSeconds }, (sizes) =>
  runOne(browseAndBuy(sizes)),
).pipe(Command.withDescription("Search, look, fill a cart, check out, look at the order, sometimes cancel it"))

export const loadCommand = load.pipe(
  Command.withHandler((given) => run(given, [orderCreation(defaults), flashSale(defaults), browseAndBuy(defaults)])),
  Command.withDescription("Press the service with the k6 scenarios (all of them when none is named), then verify"),
  Command.withSubcommands([orderCreationCommand, flashSaleCommand, browseAndBuyCommand]),
)
