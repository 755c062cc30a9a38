/**
 * Payments as the saga needs them: with the order they are for, whether that can still be paid, and where it is at home.
 * The rows themselves are written by the order's home shard alone.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer } from "effect"
import { pooledSilenceMaxMillis } from "../domain/bounds.ts"
import type { CallerId, OrderId, PaymentId, Shard } from "../domain/ids.ts"
import type { Money } from "../domain/money.ts"
import type { PaymentStatus } from "../domain/order.ts"
import { Busy } from "../inventory/shard/mailboxEntry.ts"
import { interruptibleAtOnce } from "../platform/interruptibleAtOnce.ts"

export interface SagaPayment {
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly homeShard: Shard
  readonly method: string
  readonly amount: Money
  readonly status: PaymentStatus
  /** Whether the order is a reservation in its time, by PostgreSQL's clock. */
  readonly isPayable: boolean
}

/** What a payment is called in the log. */
export const namesOf = ({ homeShard, orderId, paymentId }: SagaPayment) => ({ paymentId, orderId, shard: homeShard })

/** Where a look along the open payments ended; the rows' own order, as texts. */
export interface Position {
  readonly createdAt: string
  readonly paymentId: string
}

export const beginning: Position = { createdAt: "-infinity", paymentId: "00000000-0000-0000-0000-000000000000" }

interface Row extends Omit<SagaPayment, "amount"> {
  readonly amount: number
  readonly currency: string
  readonly createdAt: string
}

export class PaymentReads extends Context.Service<
  PaymentReads,
  {
    readonly byId: (paymentId: PaymentId) => Effect.Effect<SagaPayment | null, Busy>
    /** Whether this key has made a payment. */
    readonly hasKey: (caller: CallerId, key: string) => Effect.Effect<boolean, Busy>
    /**
     * Payments of these shards' orders that nobody else takes care of, the oldest first: to be refunded, for an order
     * that is gone, older than `quietMillis`, or of before a moment at which nobody was there.
     */
    readonly open: (options: {
      readonly shards: ReadonlyArray<Shard>
      readonly quietMillis: number
      readonly before: string
      readonly after: Position
      readonly limit: number
    }) => Effect.Effect<{ readonly payments: ReadonlyArray<SagaPayment>; readonly end: Position | null }, Busy>
    /** PostgreSQL's own time, for `before`. */
    readonly now: Effect.Effect<string, Busy>
  }
>()("hedonify/payments/PaymentReads") {
  static readonly layer = Layer.effect(
    PaymentReads,
    Effect.map(PgClient.PgClient, (sql) => readPayments(sql)),
  )
}

const paymentFrom = ({ homeShard, isPayable, method, orderId, paymentId, status, ...row }: Row): SagaPayment => ({
  paymentId,
  orderId,
  homeShard,
  method,
  amount: { amount: row.amount, currency: row.currency },
  status,
  isPayable,
})

const readPayments = (sql: PgClient.PgClient): PaymentReads["Service"] => {
  const isPayable = "(o.status = 'reserved' and o.expires_at > clock_timestamp())"
  const columns = sql.literal(`p.id as "paymentId", p.order_id as "orderId", o.home_shard as "homeShard", p.method,
    p.amount::float8 as amount, p.currency, p.status, ${isPayable} as "isPayable", p.created_at::text as "createdAt"`)

  const inTime = <A, E>(read: Effect.Effect<A, E>) =>
    interruptibleAtOnce(read).pipe(
      Effect.timeout(pooledSilenceMaxMillis),
      Effect.mapError(() => new Busy()),
    )

  return {
    byId: (paymentId) =>
      inTime(
        Effect.map(
          sql<Row>`select ${columns} from payments p join orders o on o.id = p.order_id where p.id = ${paymentId}::uuid`,
          ([row]) => (row === undefined ? null : paymentFrom(row)),
        ),
      ),
    hasKey: (caller, key) =>
      inTime(
        Effect.map(
          sql`select from payments where caller = ${caller}::uuid and key = ${key}`,
          (rows) => rows.length > 0,
        ),
      ),
    open: ({ after, before, limit, quietMillis, shards }) =>
      inTime(
        Effect.map(
          sql<Row>`select ${columns} from payments p join orders o on o.id = p.order_id
            where p.status in ('processing', 'refunding')
              and (p.created_at, p.id) > (${after.createdAt}::timestamptz, ${after.paymentId}::uuid)
              and o.home_shard = any(${shards}::int[])
              and (p.status = 'refunding' or not ${sql.literal(isPayable)} or p.created_at < ${before}::timestamptz
                or p.created_at < now() - ${quietMillis}::float8 * interval '1 millisecond')
            order by p.created_at, p.id limit ${limit}::integer`,
          (rows) => {
            const last = rows.at(-1)
            return {
              payments: rows.map(paymentFrom),
              end: last === undefined || rows.length < limit ? null : last,
            }
          },
        ),
      ),
    now: inTime(
      Effect.map(
        sql<{ readonly now: string }>`select clock_timestamp()::text as now`,
        ([row]) => row?.now ?? "-infinity",
      ),
    ),
  }
}
