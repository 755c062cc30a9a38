/**
 * What the Dockerfile and the compose file say, held to what the sources know: no daemon is needed to see that a
 * setting was renamed or that a deadline has outgrown the time a stop is given.
 */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option, Redacted, Schema } from "effect"
import * as Yaml from "effect/encoding/Yaml"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import packageJson from "../../package.json" with { type: "json" }
import { orderDeadlineMaxMillis } from "../../src/domain/bounds.ts"
import { drainMarginMillis } from "../../src/http/httpBounds.ts"
import { readConfiguration } from "../../src/platform/Configuration.ts"
import { postgresImage, redisImage } from "../platform/containers.ts"
import { newestMajor } from "../platform/postgresMajors.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const read = (file: string) => readFileSync(`${root}${file}`, "utf8")
const dockerfile = read("Dockerfile").replaceAll(/\\\n\s*/g, " ")

const Environment = Schema.Record(Schema.String, Schema.String)
const Ports = Schema.Array(Schema.String)
const composeFile = Schema.decodeUnknownSync(
  Schema.Struct({
    services: Schema.Struct({
      hedonify: Schema.Struct({
        ports: Ports,
        environment: Environment,
        volumes: Schema.Array(Schema.String),
        depends_on: Schema.Record(Schema.String, Schema.Struct({ condition: Schema.String })),
        stop_grace_period: Schema.TemplateLiteral([Schema.Int, "s"]),
      }),
      postgres: Schema.Struct({ image: Schema.String, environment: Environment, healthcheck: Schema.Unknown }),
      redis: Schema.Struct({ image: Schema.String, healthcheck: Schema.Unknown }),
      jaeger: Schema.Struct({ ports: Ports }),
    }),
  }),
)(Yaml.parse(read("docker-compose.yml")))
const { hedonify, jaeger, postgres, redis } = composeFile.services

/** As compose fills it in where nobody sets the variable. */
const filledIn = (environment: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, value.replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1")]),
  )

const imageEnvironment = Object.fromEntries(
  [...(/^ENV (.*)$/m.exec(dockerfile)?.[1] ?? "").matchAll(/(\S+)=(\S+)/g)].map(([, name = "", value = ""]) => [
    name,
    value,
  ]),
)
const instructions = (name: string) =>
  [...dockerfile.matchAll(new RegExp(`^${name} (.*)$`, "gm"))].map(([, rest = ""]) => rest)

const composed = readConfiguration({ ...imageEnvironment, ...filledIn(hedonify.environment) })

describe("the image", () => {
  it.effect("has settings that the service accepts, and asks for a token secret of one's own", () =>
    Effect.gen(function* () {
      const refusal = yield* Effect.flip(readConfiguration(imageEnvironment))
      assert.match(refusal.message, /^HEDONIFY_TOKEN_SECRET is required in production/)
      const values = yield* readConfiguration({ ...imageEnvironment, HEDONIFY_TOKEN_SECRET: "x".repeat(32) })
      assert.deepStrictEqual(instructions("EXPOSE"), [String(values.port)])
      assert.deepStrictEqual(instructions("VOLUME"), [values.dataDir])
      assert.isFalse(values.demo)
    }),
  )

  it("runs the Node that comes along for hosts without it, and leaves that one out", () => {
    const brought = Object.entries(packageJson.optionalDependencies)
    const majors = new Set(brought.map(([, version]) => version.split(".")[0]))
    assert.deepStrictEqual(
      new Set([...dockerfile.matchAll(/^FROM node:(\d+)-slim/gm)].map(([, major]) => major)),
      majors,
    )
    for (const [name] of brought) {
      if (name.includes("linux")) assert.include(dockerfile, `node_modules/${name} `)
    }
  })

  it("copies what there is and what is sent to the daemon", () => {
    const sent = read(".dockerignore")
      .split("\n")
      .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []))
    const copied = instructions("COPY")
      .filter((rest) => !rest.startsWith("--from"))
      .flatMap((rest) => rest.split(" ").slice(0, -1))
    assert.sameMembers([...new Set(copied)], sent)
    assert.deepStrictEqual(
      sent.filter((file) => !existsSync(`${root}${file}`)),
      [],
    )
  })

  it("is not root when it runs, and is told to stop as the service expects", () => {
    assert.deepStrictEqual(instructions("USER"), ["node"])
    assert.deepStrictEqual(instructions("STOPSIGNAL"), ["SIGTERM"])
    assert.match(instructions("HEALTHCHECK").join(), /HEDONIFY_PORT.*\/health\/ready/)
  })
})

describe("the compose file", () => {
  it.effect("gives the service settings that it accepts, and the PostgreSQL and Redis beside it", () =>
    Effect.gen(function* () {
      const values = yield* composed
      const database = new URL(Redacted.value(Option.getOrThrow(values.databaseUrl)))
      const { POSTGRES_DB, POSTGRES_PASSWORD, POSTGRES_USER } = filledIn(postgres.environment)
      assert.deepStrictEqual(
        [database.hostname, database.username, database.password, database.pathname],
        ["postgres", POSTGRES_USER, POSTGRES_PASSWORD, `/${POSTGRES_DB}`],
      )
      assert.strictEqual(new URL(Redacted.value(Option.getOrThrow(values.redisUrl))).hostname, "redis")
      assert.strictEqual(new URL(Option.getOrThrow(values.otlpEndpoint)).hostname, "jaeger")
      assert.isTrue(values.demo)
    }),
  )

  it.effect("opens the service and the traces to this machine alone", () =>
    Effect.gen(function* () {
      const { dataDir, port } = yield* composed
      assert.deepStrictEqual(hedonify.ports, [`127.0.0.1:${port}:${port}`])
      assert.isTrue([...hedonify.ports, ...jaeger.ports].every((each) => each.startsWith("127.0.0.1:")))
      assert.deepStrictEqual(hedonify.volumes, [`hedonify:${dataDir}`])
    }),
  )

  it("starts the service on what the tests run on, once it is healthy", () => {
    assert.strictEqual(postgres.image, postgresImage(newestMajor))
    assert.strictEqual(redis.image, redisImage)
    assert.strictEqual(hedonify.depends_on["postgres"]?.condition, "service_healthy")
    assert.strictEqual(hedonify.depends_on["redis"]?.condition, "service_healthy")
  })

  it("gives a stop longer than the longest order may take to be answered", () => {
    const grace = Duration.toMillis(Duration.seconds(Number.parseInt(hedonify.stop_grace_period, 10)))
    assert.isAbove(grace, 2 * (orderDeadlineMaxMillis + drainMarginMillis))
  })
})
