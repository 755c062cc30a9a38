/**
 * Deletes sessions that ended long enough ago, a bounded number at a time, along the indexes made for it.
 */
import type { SqlClient } from "effect/sql"
import { sessionPruneSizeMax, sessionRetentionMillis } from "./accountBounds.ts"

export const pruneSessions = (sql: SqlClient.SqlClient) => {
  const retentionSeconds = sessionRetentionMillis / 1_000
  return sql`
    delete from sessions where id in (
      (select id from sessions where expires_at < now() - ${retentionSeconds}::float8 * interval '1 second'
        limit ${sessionPruneSizeMax})
      union
      (select id from sessions where revoked_at < now() - ${retentionSeconds}::float8 * interval '1 second'
        limit ${sessionPruneSizeMax}))`
}
