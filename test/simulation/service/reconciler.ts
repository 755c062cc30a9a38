/**
 * What a process does about payments that nobody has settled: charges that were begun and never recorded, and money that
 * is to go back. It reads the rows, asks the provider and tells the order's shard, as often as it takes.
 */
import { Clock, Effect, type Scope } from "effect"
import type { Pay } from "../../../src/domain/commands.ts"
import type { Inventory } from "../../../src/inventory/Inventory.ts"
import type { MemoryDatabase } from "../../../src/inventory/memory/MemoryShardStore.ts"
import type { PaymentRow } from "../../../src/inventory/memory/memoryRows.ts"
import type { Provider } from "../crowd/provider.ts"
import type { SimulatedProcess } from "../machine/simulatedProcess.ts"

const intervalMillis = 400
/** How old a payment is before somebody else than its caller looks at it. */
const ageMinMillis = 600
const deadlineMillis = 1_500
const charged = { isDeclined: false, decidedAfterMillis: 0, answeredAfterMillis: 5 }

export const reconciling = (
  process: SimulatedProcess,
  database: MemoryDatabase,
  inventory: Inventory["Service"],
  provider: Provider,
): Effect.Effect<void, never, Scope.Scope> => {
  const { tables } = database

  const askProvider = Effect.fnUntraced(function* ({ amount, orderId, paymentId, status }: PaymentRow) {
    if (status === "refunding") return yield* provider.refund(process, paymentId)
    const order = tables.orders.get(orderId)
    const isLive = order?.status === "reserved" && order.expiresAtMillis > (yield* Clock.currentTimeMillis)
    return yield* isLive ? provider.charge(process, paymentId, amount, charged) : provider.cancel(process, paymentId)
  })

  const settle = Effect.fnUntraced(function* (payment: PaymentRow) {
    const result: Pay["result"] | null = yield* askProvider(payment)
    const homeShard = tables.orders.get(payment.orderId)?.homeShard
    if (homeShard === undefined || result === null) return
    const { orderId, paymentId } = payment
    const atMillis = yield* Clock.currentTimeMillis
    const command = { _tag: "Pay", paymentId, orderId, result } as const
    yield* Effect.option(inventory.submit(homeShard, command, atMillis + deadlineMillis))
  })

  const look = Effect.gen(function* () {
    if (!(yield* database.weather.read)) return
    const nowMillis = yield* Clock.currentTimeMillis
    const owned = new Set(inventory.statuses().flatMap(({ lease, shard }) => (lease === null ? [] : [shard])))
    const open = tables.payments.all().filter(({ createdAtMillis, orderId, status }) => {
      const isOpen = status === "refunding" || (status === "processing" && createdAtMillis + ageMinMillis <= nowMillis)
      return isOpen && owned.has(tables.orders.get(orderId)?.homeShard ?? -1)
    })
    yield* Effect.forEach(open, settle, { concurrency: "unbounded", discard: true })
  })

  return look.pipe(Effect.andThen(Effect.sleep(intervalMillis)), Effect.forever, Effect.forkScoped, Effect.asVoid)
}
