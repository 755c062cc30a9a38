/**
 * PostgreSQL and Redis in containers, for tests, where a Docker daemon answers and the image can be had; what is
 * missing is said in one sentence and never passed over in silence. Must stay true: a container goes with its scope,
 * and one whose run was killed ends by itself.
 *
 * Tried and lost: Testcontainers' reaper, a third image that has to be had and a container that is handed the daemon;
 * health checks, which go on for as long as the container lives and took both cores with four of them.
 */
import { Console, Effect, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { GenericContainer, getContainerRuntimeClient, ImageName, Wait } from "testcontainers"

/** Why there is no container. */
export class NoContainer extends Schema.TaggedError<NoContainer>()("NoContainer", { reason: Schema.String }) {}

/** What a developer's cable needs for one image, and far less than a run of CI has. */
const pullMaxMinutes = 5
const daemonSilenceMaxSeconds = 10
const startMaxSeconds = 60
/** Longer than any run of the tests. Then the container ends, and the daemon removes it with its data. */
const lifeMaxSeconds = 3_600
/** As the embedded server has. */
const connectionsMax = 200
const sharedMemoryBytes = 256 * 1024 * 1024

const said = (error: unknown) => (error instanceof Error ? error.message : String(error))

const daemon = Effect.tryPromise({
  try: () => getContainerRuntimeClient(),
  catch: () => new NoContainer({ reason: "no Docker daemon answers" }),
}).pipe(
  Effect.timeoutOrElse({
    duration: `${daemonSilenceMaxSeconds} seconds`,
    orElse: () => new NoContainer({ reason: "the Docker daemon does not answer" }),
  }),
)

/** Looks for the image here, then where images come from. */
export const haveImage = Effect.fnUntraced(function* (name: string) {
  const { image: images } = yield* daemon
  const image = ImageName.fromString(name)
  const isHere = Effect.promise(() => images.exists(image))
  const lacking = (reason: string) => new NoContainer({ reason: `the image ${name} is not here and ${reason}` })
  if (yield* isHere) return
  yield* Console.log(`Pulling the image ${name}, this once.`)
  yield* Effect.tryPromise({
    try: () => images.pull(image),
    catch: (error) => lacking(`cannot be pulled (${said(error)})`),
  }).pipe(
    Effect.timeoutOrElse({
      duration: `${pullMaxMinutes} minutes`,
      orElse: () => lacking(`was not pulled in ${pullMaxMinutes} minutes`),
    }),
  )
  // A download that breaks off ends like one that is through.
  if (!(yield* isHere)) return yield* lacking("its download broke off")
})

/** Removed by the daemon as soon as it has ended, whoever ended it. */
class ShortLivedContainer extends GenericContainer {
  constructor(image: string, command: ReadonlyArray<string>) {
    super(image)
    this.hostConfig.AutoRemove = true
    this.withAutoRemove(false)
      .withAutoCleanup(false)
      .withStartupTimeout(startMaxSeconds * 1_000)
      .withEntrypoint(["timeout", String(lifeMaxSeconds), "docker-entrypoint.sh"])
      .withCommand([...command])
  }
}

const running = Effect.fnUntraced(function* (name: string, make: (name: string) => GenericContainer) {
  yield* haveImage(name)
  return yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: () => make(name).start(),
      catch: (error) => new NoContainer({ reason: `a container of ${name} does not start (${said(error)})` }),
    }),
    (container) => Effect.promise(() => container.stop()),
  )
})

const postgresPort = 5432
const postgresUser = "hedonify"

const makePostgres = (password: string) => (image: string) =>
  new ShortLivedContainer(image, ["postgres", "-c", "fsync=off", "-c", `max_connections=${connectionsMax}`])
    .withEnvironment({ POSTGRES_USER: postgresUser, POSTGRES_PASSWORD: password })
    .withExposedPorts(postgresPort)
    .withSharedMemorySize(sharedMemoryBytes)
    // The server of the first initialisation says so once, too, and is not the one to wait for.
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))

export const postgresImage = (major: number) => `postgres:${major}`

/** A PostgreSQL of this major, with nothing in it. */
export const postgresContainer = Effect.fnUntraced(function* (major: number) {
  // The port may be open to other machines: that is the daemon's to say.
  const password = randomBytes(16).toString("hex")
  const container = yield* running(postgresImage(major), makePostgres(password))
  return {
    host: container.getHost(),
    port: container.getMappedPort(postgresPort),
    username: postgresUser,
    password,
  }
})

const redisPort = 6379
export const redisImage = "redis:8"
/** One for each server of a run. */
const redisDatabases = 1_000

/** On this port of the host, or any. */
const makeRedis = (port: number | undefined) => (image: string) =>
  new ShortLivedContainer(image, ["redis-server", "--save", "", "--databases", String(redisDatabases)])
    .withExposedPorts(port === undefined ? redisPort : { container: redisPort, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))

/** A Redis with nothing in it, and how to make it stand still. */
export const redisContainer = Effect.fnUntraced(function* (port?: number) {
  const container = yield* running(redisImage, makeRedis(port))
  const { container: containers } = yield* daemon
  const handle = containers.getById(container.getId())
  return {
    url: `redis://${container.getHost()}:${container.getMappedPort(redisPort)}`,
    pause: Effect.promise(() => handle.pause()),
    resume: Effect.promise(() => handle.unpause()),
  }
})
