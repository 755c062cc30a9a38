/**
 * One connection for each shard's writer, opened on first use and replaced whenever its state is in doubt.
 *
 * Must stay true: what is pinned here (READ COMMITTED, synchronous_commit) holds for every statement of a writer; a
 * connection whose last statement has no answer is never used again; an answer that is silent too long ends in
 * `Silent`, and never in a cancel that leaves the outcome open.
 */
import { PgClient, PgConnection } from "@effect/sql-pg"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import type { SqlError } from "effect/sql"
import { commitSilenceMaxMillis, pooledSilenceMaxMillis, takeoverLockMaxMillis } from "../../domain/bounds.ts"
import type { Shard } from "../../domain/ids.ts"
import { DatabaseAddress } from "../../platform/Database.ts"
import { interruptibleAtOnce } from "../../platform/interruptibleAtOnce.ts"
import type { Statement } from "./sqlParameters.ts"

/** No answer in time. */
export class Silent extends Schema.TaggedError<Silent>()("Silent", {}) {}

/** There is no connection to send anything on, so nothing happened. */
export class NotSent extends Schema.TaggedError<NotSent>()("NotSent", { message: Schema.String }) {}

export type QueryError = SqlError.SqlError | Silent | NotSent

/**
 * Settings of every writer's session. A statement that waits for a lock is refused by PostgreSQL itself before our own
 * patience ends, since that refusal is definite and silence is not. Plans are generic and by index: statements are few
 * and always the same, and a plan made while a table was small must not scan it once it has grown.
 */
const sessionSettings = {
  default_transaction_isolation: "read committed",
  synchronous_commit: "on",
  lock_timeout: String(takeoverLockMaxMillis),
  statement_timeout: String(commitSilenceMaxMillis - 200),
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  jit: "off",
} as const

/** Kinds of statements a shard may prepare: parts of a batch come in many mixtures, but few at a time. */
const preparedStatementsMax = 200

interface Open {
  readonly connection: PgConnection.PgConnection
  readonly scope: Scope.Closeable
}

export class WriterConnections extends Context.Service<
  WriterConnections,
  {
    /** Rows are as the statement's text makes them; the type given is the caller's word for it. */
    readonly query: <Row extends object>(
      shard: Shard,
      statement: Statement,
    ) => Effect.Effect<ReadonlyArray<Row>, QueryError>
    /** On any connection of the pool, for what belongs to no single shard. */
    readonly pooled: <Row extends object>(statement: Statement) => Effect.Effect<ReadonlyArray<Row>, QueryError>
    /** A connection with a writer's settings, of its own scope. */
    readonly open: Effect.Effect<PgConnection.PgConnection, SqlError.SqlError, Scope.Scope>
  }
>()("hedonify/inventory/WriterConnections") {
  static readonly layer = Layer.effect(
    WriterConnections,
    Effect.gen(function* () {
      const address = yield* DatabaseAddress
      const pool = yield* PgClient.PgClient
      const opened = new Map<Shard, Open>()
      const opening = new Map<Shard, Deferred.Deferred<Open, NotSent>>()
      const config: PgConnection.Config = {
        ...address,
        applicationName: "hedonify writer",
        startupParameters: { ...address.startupParameters, ...sessionSettings },
        preparedStatementCacheSize: preparedStatementsMax,
      }
      const open = PgConnection.make(config)

      const openFor = Effect.fnUntraced(function* (shard: Shard) {
        const scope = yield* Scope.make()
        const connection = yield* open.pipe(
          Scope.provide(scope),
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
          Effect.mapError(({ message }) => new NotSent({ message })),
        )
        const made: Open = { connection, scope }
        opened.set(shard, made)
        return made
      })
      /** The writer and the sweeper may both come first; they get the same connection. */
      const connectionOf = (shard: Shard): Effect.Effect<Open, NotSent> =>
        Effect.suspend(() => {
          const existing = opened.get(shard)
          if (existing !== undefined) return Effect.succeed(existing)
          const underWay = opening.get(shard)
          if (underWay !== undefined) return Deferred.await(underWay)
          const answer = Deferred.makeUnsafe<Open, NotSent>()
          opening.set(shard, answer)
          return openFor(shard).pipe(
            Effect.onExit((exit) => {
              opening.delete(shard)
              return Deferred.done(answer, exit)
            }),
          )
        })
      const forget = (shard: Shard, { scope }: Open): Effect.Effect<void> =>
        Effect.suspend(() => {
          if (opened.get(shard)?.scope === scope) opened.delete(shard)
          return Effect.asVoid(Effect.forkDetach(Scope.close(scope, Exit.void)))
        })

      const query = Effect.fnUntraced(function* <Row extends object>(shard: Shard, { parameters, text }: Statement) {
        const current = yield* connectionOf(shard)
        // In a fiber of its own, so that giving up waits for nobody. It is not interrupted either, as behind
        // `interruptibleAtOnce`: a cancel would leave the outcome open.
        const running = yield* Effect.forkDetach(current.connection.query(text, parameters))
        const result = yield* Fiber.join(running).pipe(
          Effect.timeoutOrElse({ duration: commitSilenceMaxMillis, orElse: () => Effect.fail(new Silent()) }),
          Effect.tapError((error) => (isAnswer(error) ? Effect.void : forget(shard, current))),
        )
        return result.rows as ReadonlyArray<Row>
      })

      const pooled = <Row extends object>({ parameters, text }: Statement) =>
        interruptibleAtOnce(pool.unsafe<Row>(text, parameters)).pipe(
          Effect.timeoutOrElse({ duration: pooledSilenceMaxMillis, orElse: () => Effect.fail(new Silent()) }),
        )

      yield* Effect.addFinalizer(() =>
        Effect.forEach([...opened.values()], ({ scope }) => Scope.close(scope, Exit.void), { discard: true }),
      )
      return { query, pooled, open }
    }),
  )
}

/** What PostgreSQL said in an error, null where the error is not PostgreSQL's. */
export const serverError = (
  error: QueryError,
): { readonly sqlState: string; readonly severity: string; readonly message: string } | null => {
  if (error._tag !== "SqlError") return null
  const cause = error.reason.cause
  if (typeof cause !== "object" || cause === null || !("code" in cause) || typeof cause.code !== "string") return null
  const said = "severityUnlocalized" in cause ? cause.severityUnlocalized : undefined
  const localized = "severity" in cause ? cause.severity : undefined
  const message = cause instanceof Error ? cause.message : error.message
  return { sqlState: cause.code, severity: String(said ?? localized ?? ""), message }
}

/** An error of severity ERROR is definite and leaves the session usable; anything else is neither. */
export const isAnswer = (error: QueryError): boolean => serverError(error)?.severity === "ERROR"

/** The connection is gone, by the server's word or without one; on another the same statement may well get through. */
export const isConnectionLost = (error: QueryError): boolean => error._tag === "SqlError" && !isAnswer(error)
