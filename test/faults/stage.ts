/**
 * Where the faults of one test file happen: a database of its own on the run's PostgreSQL, the service that serves it,
 * and the people who use it. Must stay true: whatever a test did to PostgreSQL, the next file finds it running, and no
 * service outlives its file.
 */
import { NodeServices } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { randomBytes } from "node:crypto"
import { type Options, readiness, type Service, startService, until, workingFolder } from "../process/serviceProcess.ts"
import { invite, type People } from "./people.ts"
import { type PostgresServer, postgresServer } from "./postgresServer.ts"

/** Few, so that each has something to do in every test. */
const shards = 4
/** The pool beside the writers. */
const databaseConnections = 4
/** The owner's session, one for each writer, and the pool: what a service may have open at most. */
export const sessionsMax = 1 + shards + databaseConnections
/** Longer than a silent commit is waited for, so that an unknown outcome may be settled in time, or may not. */
export const orderDeadlineMillis = 3_000

interface StageShape {
  readonly folder: string
  readonly database: string
  readonly postgres: PostgresServer
  readonly people: People
  /** What no log and no answer may ever say. */
  readonly secrets: ReadonlyArray<string>
  /** The one that serves now. */
  readonly service: () => Service
  /** Every one there was: what they said is looked through for secrets. */
  readonly services: ReadonlyArray<Service>
  /** Starts another on the same database; from now on it is the one that serves. */
  readonly start: Effect.Effect<Service>
  /** Lets one of them be the one that serves again. */
  readonly bringBack: (service: Service) => void
  /** How it is started, for who expects a start to fail. */
  readonly options: Options
  readonly sql: <A>(work: Effect.Effect<A, SqlError.SqlError, SqlClient.SqlClient>) => Effect.Effect<A>
}

export class Stage extends Context.Service<Stage, StageShape>()("hedonify/test/faults/Stage") {}

const secret = () => randomBytes(24).toString("hex")

interface Surroundings {
  /** Settings beside the ones of every stage. */
  readonly settings?: Readonly<Record<string, string>>
  /** Where the service finds PostgreSQL, if not at the server's own port. */
  readonly databasePort?: number
}

const makeStage = Effect.fnUntraced(function* ({ databasePort, settings: more }: Surroundings) {
  const postgres = postgresServer()
  yield* postgres.ensureRunning
  yield* Effect.addFinalizer(() => Effect.orDie(postgres.ensureRunning))
  const folder = yield* workingFolder
  const database = `faults_${randomBytes(4).toString("hex")}`
  yield* postgres.within(
    "postgres",
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(`create database ${database}`)),
  )
  const [adminPassword, userPassword, tokenSecret] = [secret(), secret(), secret()]
  const adminEmail = "admin@faults.example"
  const options: Options = {
    settings: {
      DATABASE_URL: postgres.url(database, databasePort),
      HEDONIFY_DEMO: "off",
      HEDONIFY_ADMIN_EMAIL: adminEmail,
      HEDONIFY_ADMIN_PASSWORD: adminPassword,
      HEDONIFY_TOKEN_SECRET: tokenSecret,
      HEDONIFY_SHARDS: String(shards),
      HEDONIFY_DATABASE_CONNECTIONS: String(databaseConnections),
      HEDONIFY_ORDER_DEADLINE: String(orderDeadlineMillis),
      ...more,
    },
    nodeArguments: ["--expose-gc", "--import", new URL("../process/memoryProbe.ts", import.meta.url).href],
  }
  const services: Array<Service> = []
  const scope = yield* Effect.scope
  const start = startService(folder, options).pipe(
    Effect.tap((started) => Effect.sync(() => services.push(started))),
    Scope.provide(scope),
  )
  const service = () => {
    const current = services.at(-1)
    assert.isDefined(current)
    return current
  }
  yield* start
  const people = yield* invite(service().url, { adminEmail, adminPassword, userPassword })
  return Stage.of({
    folder,
    database,
    postgres,
    people,
    secrets: [adminPassword, userPassword, tokenSecret, postgres.password, ...Object.values(people)],
    service,
    services,
    start,
    bringBack: (again) => void services.push(again),
    options,
    sql: (work) => Effect.orDie(postgres.within(database, work)),
  })
})

export const stageIn = <E, R>(surroundings: Effect.Effect<Surroundings, E, R>) =>
  Layer.effect(Stage, Effect.flatMap(surroundings, makeStage)).pipe(Layer.provideMerge(NodeServices.layer), Layer.orDie)

export const stage = stageIn(Effect.succeed({}))

/** Until the service that serves says that nothing is missing. */
export const untilReady = Effect.gen(function* () {
  const { service } = yield* Stage
  yield* until(
    "the service is ready",
    Effect.suspend(() => Effect.map(readiness(service().url), (status) => status === 200)),
  )
})
