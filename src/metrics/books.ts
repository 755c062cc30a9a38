/**
 * What only the database knows of the service's state, as numbers for an operator: how late expiries are, who waits,
 * what is still to be delivered.
 *
 * Must stay true: a scrape asks for it at most once in `readEveryMillis` and waits no longer than `readMaxMillis`; each
 * number comes from an index and stops counting at `countedMax`; a database that is away leaves the last numbers.
 */
import { Clock, Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { Instruments } from "./Instruments.ts"

const readEveryMillis = 5_000
const readMaxMillis = 1_000
/** More than this is told as this. */
const countedMax = 100_000

interface Books {
  readonly lag: number
  readonly waiting: number
  readonly offers: number
  readonly unfinished: number
  readonly backlog: number
  readonly dead: number
}
interface Connections {
  readonly state: "active" | "idle" | "other"
  readonly connections: number
}

export const makeBooks = Effect.fnUntraced(function* ({ gauge }: Instruments["Service"]) {
  const sql = yield* SqlClient.SqlClient
  const lag = gauge("hedonify_expiry_lag_seconds", "How long the oldest reservation is past its time to pay")
  const waiting = gauge("hedonify_waitlist_waiting", "Places on waiting lists")
  const offers = gauge("hedonify_offers_open", "Offers that stand")
  const unfinished = gauge("hedonify_payments_unfinished", "Payments that are not settled yet")
  const backlog = gauge("hedonify_webhook_backlog", "Deliveries that wait to be sent")
  const dead = gauge("hedonify_webhook_dead", "Deliveries that were given up")
  const connections = gauge("hedonify_database_connections", "Sessions with the database", ["state"])

  const bounded = (rows: string) => sql.literal(`(select count(*)::int from (${rows} limit ${countedMax}) as counted)`)
  const read = Effect.gen(function* () {
    const [books] = yield* sql<Books>`select
      coalesce((select extract(epoch from clock_timestamp() - min(o.expires_at))::float8 from shard_leases l
        cross join lateral (
          select expires_at from orders where home_shard = l.shard and status = 'reserved'
            and expires_at <= statement_timestamp()
          order by expires_at limit 1
        ) as o), 0) as lag,
      ${bounded("select from waiting_list")} as waiting,
      ${bounded("select from holds where kind = 'offer'")} as offers,
      ${bounded("select from payments where status in ('processing', 'refunding')")} as unfinished,
      ${bounded("select from webhook_deliveries where state = 'pending'")} as backlog,
      ${bounded("select from webhook_deliveries where state = 'dead'")} as dead`
    const sessions = yield* sql<Connections>`select
        case state when 'active' then 'active' when 'idle' then 'idle' else 'other' end as state,
        count(*)::int as connections
      from pg_stat_activity where datname = current_database() and backend_type = 'client backend' group by 1`
    if (books !== undefined) {
      lag.set(books.lag)
      waiting.set(books.waiting)
      offers.set(books.offers)
      unfinished.set(books.unfinished)
      backlog.set(books.backlog)
      dead.set(books.dead)
    }
    connections.reset()
    for (const session of sessions) connections.set({ state: session.state }, session.connections)
  })
  let readAtMillis = Number.NEGATIVE_INFINITY
  return Effect.gen(function* () {
    const nowMillis = yield* Clock.currentTimeMillis
    if (nowMillis - readAtMillis < readEveryMillis) return
    readAtMillis = nowMillis
    yield* Effect.ignore(Effect.timeout(read, readMaxMillis))
  })
})
