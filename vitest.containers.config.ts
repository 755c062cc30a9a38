/**
 * The suites that speak to PostgreSQL and Redis, once for each major on a container of its own (`npm run
 * test:containers`). A major that cannot be had is left out and said; one that TEST_POSTGRES_MAJORS asks for by name
 * fails the run.
 */
import { NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { defineConfig } from "vitest/config"
import { haveImage, postgresImage, redisImage } from "./test/platform/containers.ts"
import { askedMajors, supportedMajors } from "./test/platform/postgresMajors.ts"
import ordinary from "./vitest.config.ts"

const include = ["platform/{database,migrations,postgresMajors}", "store/**/*", "http/**/*", "redis/**/*"].map(
  (files) => `test/${files}.test.ts`,
)

/** A person reads one sentence, not the stack of a configuration. */
const stop = (sentence: string) =>
  Effect.andThen(
    Console.error(sentence),
    Effect.sync(() => process.exit(1)),
  )

const majorsAtHand = Effect.gen(function* () {
  const asked = askedMajors(process.env["TEST_POSTGRES_MAJORS"])
  if (typeof asked === "string") return yield* stop(asked)
  const wanted = asked.length > 0 ? asked : supportedMajors
  return yield* Effect.filter(wanted, (major) =>
    haveImage(postgresImage(major)).pipe(
      Effect.as(true),
      Effect.catchTag("NoContainer", ({ reason }) =>
        asked.length > 0
          ? stop(`PostgreSQL ${major} was asked for: ${reason}.`)
          : Effect.as(Console.log(`The tests on PostgreSQL ${major} are skipped: ${reason}.`), false),
      ),
    ),
  )
})

const redisIsAtHand = haveImage(redisImage).pipe(
  Effect.as(true),
  Effect.catchTag("NoContainer", () => Effect.succeed(false)),
)

const atHand = Effect.all([majorsAtHand, redisIsAtHand]).pipe(Effect.provide(NodeServices.layer))

export default defineConfig(async () => {
  const [majors, redis] = await Effect.runPromise(atHand)
  if (majors.length === 0) return { test: { include: [], passWithNoTests: true } }
  return {
    test: {
      projects: majors.map((major, groupOrder) => ({
        test: {
          ...ordinary.test,
          include,
          name: `PostgreSQL ${major}`,
          provide: { postgresMajor: major },
          env: redis ? { TEST_REDIS: "container" } : {},
          // One major after the other: side by side they would only take each other's time.
          sequence: { groupOrder },
        },
      })),
    },
  }
})
