/**
 * One PostgreSQL for the whole run of tests: TEST_DATABASE_URL where it is set, else a container where a Docker daemon
 * answers and the image can be had, else the embedded server in a folder of its own; all but the first go with the run,
 * and which one it is and why is printed. It makes one migrated template, from which each test file copies its
 * database. TEST_CONTAINERS=off passes the containers over; TEST_POSTGRES_MAJORS asks for another major than the newest.
 */
import { NodeServices } from "@effect/platform-node"
import { Console, Effect, Exit, FileSystem, Redacted, Scope } from "effect"
import { randomBytes } from "node:crypto"
import type { TestProject } from "vitest/node"
import { cannotStart } from "../../src/platform/CannotStart.ts"
import * as EmbeddedPostgres from "../../src/platform/embedded/embeddedPostgres.ts"
import { migrate } from "../../src/platform/migrations.ts"
import { addressOf, administer, type TestServer } from "./databaseServer.ts"
import { askedMajors, newestMajor } from "./postgresMajors.ts"

declare module "vitest" {
  export interface ProvidedContext {
    /** Set where the run, or a project of it, is for one major on a container and for nothing else. */
    postgresMajor?: number
    /** Where the Redis of such a run is. */
    redisUrl?: string
  }
}

const embeddedServer = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const dataFolder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "hedonify-test-" })
  // The server's user has to pass through; nothing lies here but the cluster.
  yield* fileSystem.chmod(dataFolder, 0o711)
  const address = yield* EmbeddedPostgres.acquire({ dataFolder, fsync: false })
  return {
    ...(address.path === undefined ? {} : { path: address.path }),
    ...(address.host === undefined ? {} : { host: address.host }),
    ...(address.port === undefined ? {} : { port: address.port }),
    username: address.username,
    password: Redacted.value(address.password),
  }
})

/** On a container. Loaded only here, since Testcontainers takes its time. */
const containerOf = Effect.fnUntraced(function* (major: number) {
  const { postgresContainer } = yield* Effect.promise(() => import("./containers.ts"))
  const address = yield* postgresContainer(major)
  yield* Console.log(`Tests run on PostgreSQL ${major} in a container.`)
  return address
})

const containerOrEmbedded = Effect.gen(function* () {
  const asked = askedMajors(process.env["TEST_POSTGRES_MAJORS"])
  if (typeof asked === "string") return yield* cannotStart(asked)
  const [major] = asked
  if (major !== undefined) return yield* containerAskedFor(major)
  const onEmbedded = (reason: string) =>
    Effect.andThen(Console.log(`Tests run on the embedded PostgreSQL: ${reason}.`), embeddedServer)
  if (process.env["TEST_CONTAINERS"] === "off") return yield* onEmbedded("TEST_CONTAINERS is off")
  return yield* containerOf(newestMajor).pipe(Effect.catchTag("NoContainer", ({ reason }) => onEmbedded(reason)))
})

const containerAskedFor = (major: number) =>
  containerOf(major).pipe(
    Effect.catchTag("NoContainer", ({ reason }) => cannotStart(`PostgreSQL ${major} was asked for: ${reason}.`)),
  )

const redis = Effect.gen(function* () {
  const { redisContainer } = yield* Effect.promise(() => import("./containers.ts"))
  const { url } = yield* redisContainer()
  return url
}).pipe(
  Effect.tap(() => Console.log("Its servers share what they share over Redis in a container.")),
  Effect.catchTag("NoContainer", ({ reason }) => Effect.as(Console.log(`Its servers have no Redis: ${reason}.`), "")),
)

const testServer = Effect.fnUntraced(function* (major: number | undefined) {
  const template = `hedonify_test_${randomBytes(4).toString("hex")}`
  const url = process.env["TEST_DATABASE_URL"]
  const chosen = url === undefined || url === "" ? containerOrEmbedded : Effect.succeed({ url })
  const server: TestServer = { ...(yield* major === undefined ? chosen : containerAskedFor(major)), template }
  yield* Effect.acquireRelease(administer(server, `CREATE DATABASE ${template} TEMPLATE template0`), () =>
    administer(server, `DROP DATABASE IF EXISTS ${template} WITH (FORCE)`).pipe(Effect.ignore),
  )
  yield* migrate(addressOf(server, template))
  return server
})

const prepare = Effect.fnUntraced(function* (project: TestProject) {
  const { postgresMajor } = project.getProvidedContext()
  project.provide("testServer", yield* testServer(postgresMajor))
  if (postgresMajor !== undefined) project.provide("redisUrl", yield* redis)
})

export default async (project: TestProject) => {
  const scope = await Effect.runPromise(Scope.make())
  await Effect.runPromise(
    prepare(project).pipe(
      Scope.provide(scope),
      Effect.onError(() => Scope.close(scope, Exit.void)),
      Effect.provide(NodeServices.layer),
    ),
  )
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
