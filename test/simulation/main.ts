/**
 * `npm run simulate`: the promise under every interleaving that so many seeds find. Without a seed of its own each run
 * takes fresh ones; one that fails is named with the command that replays it, told as a story and made small.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Clock, Console, Effect, Option, Random, Runtime, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import packageJson from "../../package.json" with { type: "json" }
import { regressions } from "./regressions.ts"
import { coverageLines, foundLines, paceLine, seldom } from "./report.ts"
import { plantedBugs } from "./plantedBugs.ts"
import { seedsToFindMax } from "./plantedBugs/finding.ts"
import { findBugs, runSeeds } from "./seeds.ts"
import { type Failing, scenarioOf, shrink, wholeOf } from "./shrink.ts"
import { run } from "./simulation.ts"
import { sentenceOf, Story } from "./story.ts"

/** Everything has been said; what is left is the exit code. */
class PromiseBroken extends Schema.TaggedError<PromiseBroken>()("PromiseBroken", { message: Schema.String }) {
  override readonly [Runtime.errorReported] = false
}

const seedMax = 0x7fff_ffff
const isSeed = (seed: number): boolean => Number.isInteger(seed) && seed >= 0 && seed <= seedMax

const flags = {
  seeds: Flag.Int("seeds").pipe(
    Flag.withDescription("How many seeds to run"),
    Flag.filter(
      (count) => count >= 1 && count <= 10_000_000,
      () => "--seeds has to be between 1 and 10,000,000",
    ),
    Flag.withDefault(1_000),
  ),
  from: Flag.Int("from").pipe(
    Flag.withDescription("The first of them; a fresh one when it is left out"),
    Flag.filter(isSeed, () => `--from has to be between 0 and ${seedMax}`),
    Flag.optional,
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("Replay one seed, and tell what happened in it"),
    Flag.filter(isSeed, () => `--seed has to be between 0 and ${seedMax}`),
    Flag.optional,
  ),
  schedule: Flag.Int("schedule").pipe(
    Flag.withDescription("With --seed: another order of its steps"),
    Flag.withDefault(0),
  ),
  planted: Flag.Boolean("planted").pipe(
    Flag.withDescription("Plant each known bug in a copy of the sources instead, and print how many seeds it takes"),
    Flag.withDefault(false),
  ),
  only: Flag.String("only").pipe(
    Flag.withDescription("With --seed: nothing but these parts of it, as a small failing scenario is printed"),
    Flag.optional,
  ),
}

const replayCommand = ({ parts, schedule, seed }: Failing, isWhole: boolean): string =>
  `npm run simulate -- --seed ${seed}${schedule === 0 ? "" : ` --schedule ${schedule}`}${isWhole ? "" : ` --only ${parts.join(",")}`}`

/** Runs one scenario and tells it; what was found, if anything. */
const tell = Effect.fnUntraced(function* (failing: Failing) {
  const story = new Story(true)
  const { digest, steps, violation } = run(scenarioOf(failing), undefined, story)
  yield* Console.log(story.lines.join("\n"))
  if (story.isCut) yield* Console.log("        ... and more than a page")
  yield* Console.log(`\n${steps} steps, digest ${digest.toString(16)}`)
  return violation
})

const replay = Effect.fnUntraced(function* (seed: number, schedule: number, only: Option.Option<string>) {
  const whole = wholeOf(seed, schedule)
  const parts = Option.map(only, (names) => names.split(","))
  const unknown = Option.getOrElse(parts, (): ReadonlyArray<string> => []).filter((part) => !whole.parts.includes(part))
  if (unknown.length > 0) {
    return yield* new PromiseBroken({
      message: `Seed ${seed} has no ${unknown.join(", ")}: it is drawn differently now.`,
    })
  }
  const failing = { ...whole, parts: Option.getOrElse(parts, () => whole.parts) }
  const violation = yield* tell(failing)
  if (violation === null) return yield* Console.log(`Seed ${seed} keeps the promise.`)
  yield* Console.log(`Seed ${seed} breaks the promise: ${sentenceOf(violation)}`)
  if (Option.isSome(only)) return yield* new PromiseBroken({ message: `Seed ${seed} breaks the promise.` })
  yield* Console.log("\nMaking it small ...\n")
  const smallest = shrink(failing)
  const found = yield* tell(smallest)
  yield* Console.log(`The same, small: ${sentenceOf(found)}\n  ${replayCommand(smallest, false)}`)
  return yield* new PromiseBroken({ message: `Seed ${seed} breaks the promise.` })
})

const explore = Effect.fnUntraced(function* (seeds: number, from: number) {
  const startedAt = yield* Clock.currentTimeMillis
  yield* Console.log(
    `${seeds.toLocaleString("en-US")} seeds from ${from} on, after ${regressions.length} that failed once`,
  )
  const known = regressions.map(({ seed }) => seed)
  let nextSaid = 0
  const say = (seedsRun: number): void => {
    if (seedsRun < nextSaid) return
    nextSaid = seedsRun + Math.max(1_000, Math.ceil(seeds / 20))
    // Beside the result, so that a pipe gets only that.
    process.stderr.write(`  ${seedsRun.toLocaleString("en-US")} seeds\n`)
  }
  const fresh = Array.from({ length: seeds }, (_, at) => (from + at) % (seedMax + 1))
  const result = yield* runSeeds([...known, ...fresh], say)
  const millis = (yield* Clock.currentTimeMillis) - startedAt
  yield* Console.log(coverageLines(result).join("\n"))
  yield* Console.log(`\n${paceLine(result, millis)}`)
  for (const { seed, violation } of result.failures) {
    yield* Console.log(`seed ${seed}: ${violation}\n  npm run simulate -- --seed ${seed}`)
  }
  const [first] = result.failures
  if (first !== undefined) {
    const smallest = shrink(wholeOf(first.seed, 0))
    yield* Console.log(`\nSeed ${first.seed}, made small:\n`)
    yield* tell(smallest)
    yield* Console.log(replayCommand(smallest, false))
    return yield* new PromiseBroken({ message: `${result.failures.length} seeds broke the promise.` })
  }
  const unmet = seldom(result)
  if (unmet.length > 0) return yield* new PromiseBroken({ message: `Met too seldom:\n  ${unmet.join("\n  ")}` })
})

/** What the simulation is worth: how many seeds each bug takes that is planted in a copy of the sources. */
const findPlantedBugs = Effect.gen(function* () {
  const found = yield* findBugs(
    plantedBugs.map(({ name }) => name),
    seedsToFindMax,
  )
  yield* Console.log(foundLines(found).join("\n"))
  const missed = found.filter(({ seeds }) => seeds === null)
  if (missed.length > 0) return yield* new PromiseBroken({ message: `${missed.length} planted bugs were not found.` })
})

const freshSeed = Random.nextIntBetween(0, seedMax)

Command.make("simulate", flags, ({ from, only, planted, schedule, seed, seeds }) =>
  planted
    ? findPlantedBugs
    : Option.isSome(seed)
      ? replay(seed.value, schedule, only)
      : Effect.flatMap(Option.match(from, { onNone: () => freshSeed, onSome: Effect.succeed }), (first) =>
          explore(seeds, first),
        ),
).pipe(
  Command.withDescription(
    "Run orders, retries, crashes and faults through the service's own code under a seeded scheduler, and audit every answer",
  ),
  Command.run({ version: packageJson.version }),
  Effect.scoped,
  Effect.tapError((error) => (error instanceof PromiseBroken ? Console.error(error.message) : Effect.void)),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain,
)
