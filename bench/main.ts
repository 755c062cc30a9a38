/**
 * `npm run bench -- [name …]`: the benchmarks, each as ratios in one run, with a table and bench/results/<name>.json.
 * A missed bar is shown and does not fail the command: on a shared machine it is a reason to look, not a proof. Books
 * that do not balance do fail it, and answers that should not be.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import packageJson from "../package.json" with { type: "json" }
import { CannotStart } from "../src/platform/CannotStart.ts"
import { expiry } from "./expiry.ts"
import { hotProduct } from "./hotProduct/hotProduct.ts"
import { http } from "./http/http.ts"
import { latency } from "./latency.ts"
import { redis } from "./redis.ts"
import { telemetry } from "./telemetry/telemetry.ts"

const benchmarks = { "hot-product": hotProduct, http, latency, redis, expiry, telemetry } as const
const names = ["hot-product", "http", "latency", "redis", "expiry", "telemetry"] as const

const name = Argument.Literals("name", names).pipe(
  Argument.withDescription("Which to run; all of them when none is named"),
  Argument.variadic(),
)
const rounds = Flag.Int("rounds").pipe(
  Flag.withDescription("How many rounds each side is measured for; the medians of more rounds are steadier"),
  Flag.filter(
    (count) => count >= 1 && count <= 1000,
    () => "--rounds has to be between 1 and 1000",
  ),
  Flag.optional,
)

Command.make("bench", { name, rounds }, (wanted) =>
  Effect.forEach(
    wanted.name.length === 0 ? names : wanted.name,
    (each) => benchmarks[each](Option.getOrUndefined(wanted.rounds)),
    {
      discard: true,
    },
  ),
).pipe(
  Command.withDescription(
    "Measure Hedonify against PostgreSQL alone, its rivals and bare servers, on DATABASE_URL or a PostgreSQL of its own",
  ),
  Command.run({ version: packageJson.version }),
  Effect.tapError((error) => (error instanceof CannotStart ? Console.error(error.message) : Effect.void)),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain,
)
