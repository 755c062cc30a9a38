/** A session of somebody else that holds a lock for as long as a test likes. */
import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { Stage } from "./stage.ts"

/** While a transaction that has taken this lock does not end. */
export const whileLocked = <A, E, R>(
  lock: (sql: SqlClient.SqlClient) => Effect.Effect<unknown, SqlError.SqlError>,
  work: Effect.Effect<A, E, R>,
) =>
  Effect.gen(function* () {
    const { database, postgres } = yield* Stage
    return yield* postgres.within(
      database,
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(Effect.andThen(lock(sql), work))),
    )
  })
