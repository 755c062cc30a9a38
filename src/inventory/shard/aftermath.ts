/**
 * What is read after a batch's commit: why something did not come to pass, or, where the commit's answer was lost, what it
 * did. The answer has to be found however long the database takes to come back; deadlines run meanwhile.
 */
import { Effect } from "effect"
import { settlePauseMillis } from "../../domain/bounds.ts"
import type { EndingWrite } from "../../domain/batch.ts"
import type { OrderId } from "../../domain/ids.ts"
import type { OrderStatus } from "../../domain/order.ts"
import {
  type Applied,
  type FactsRead,
  type FactsRequest,
  nothingAsked,
  nothingRead,
  type StoreUnreachable,
} from "../store/ShardStore.ts"
import type { Plan } from "./planner.ts"
import type { Run } from "./preparation.ts"

/** What has to be known of everything that did not come to pass; nothing is read where all did. */
export const factsAfter = (run: Run, planned: Plan, result: Applied): Effect.Effect<Omit<FactsRead, "lease">> => {
  const asked = keysOf(planned, result)
  const asksNothing = Object.values(asked).every((names) => names.length === 0)
  return asksNothing ? Effect.succeed(nothingRead) : lookUp(run, asked)
}

/**
 * What a commit did whose answer was lost, read from the rows it left; extensions count as not made, and carts of
 * orders that were not placed as changed, since both only ask their callers to try again.
 */
export const reconstruct = Effect.fnUntraced(function* (
  run: Run,
  planned: Plan,
  atMillis: number,
): Effect.fn.Return<Applied> {
  const { amendments, deliveries, endings, extensions, movements, orders } = planned.write
  const { payments, settlements, shipments } = planned.write
  const facts = yield* lookUp(run, {
    ...nothingAsked,
    orderKeys: orders.map((order) => order.command),
    movementKeys: movements,
    statuses: endings.map((ending) => ending.orderId),
    payments: [...payments, ...settlements].map((payment) => payment.paymentId),
    shipmentsOf: shipments.map((shipment) => shipment.orderId),
  })
  const placed = new Set(facts.orders.map((order) => order.orderId))
  const moved = new Set(facts.movements.map((movement) => movement.movementId))
  const statuses = new Map(facts.statuses.map(({ orderId, status }) => [orderId, status]))
  const products = yield* untilReached(
    run.store.products(
      run.shard,
      [...movements, ...amendments].map((write) => write.productId),
    ),
  )
  const versions = new Map(products.map((product) => [product.productId, product.version]))
  const unplaced = orders.filter((order) => !placed.has(order.command.orderId)).map((order) => order.command)
  const shipped = new Set(facts.shipments.map((shipment) => shipment.shipmentId))
  return {
    _tag: "Applied",
    atMillis,
    unplaced: unplaced.map((command) => command.orderId),
    cartsChanged: unplaced.filter((command) => command.cartVersion !== null).map((command) => command.orderId),
    unmoved: movements.map((movement) => movement.movementId).filter((movementId) => !moved.has(movementId)),
    unextended: extensions,
    unended: endings.filter((ending) => !hasEnded(ending, statuses)).map(({ orderId }) => orderId),
    payments: facts.payments,
    unshipped: shipments.map(({ shipmentId }) => shipmentId).filter((shipmentId) => !shipped.has(shipmentId)),
    // Whether they arrived, now or before, is the same to who says so.
    undelivered: deliveries.map(({ shipmentId }) => shipmentId),
    unoffered: [],
    // A later writer may have edited it again since: only a version that has not moved says that this was not made.
    unamended: amendments.filter(({ productId, version }) => (versions.get(productId) ?? 0) <= version),
    stock: products,
    units: [],
  }
})

/** A cancelled order is one that was refunded where it had been paid. */
const hasEnded = ({ orderId, status }: EndingWrite, statuses: ReadonlyMap<OrderId, OrderStatus>): boolean => {
  const now = statuses.get(orderId)
  return now === status || (status === "cancelled" && now === "refunded")
}

const keysOf = (planned: Plan, result: Applied): FactsRequest => {
  const { deliveries, movements, orders, payments, settlements, shipments } = planned.write
  const unplaced = new Set(result.unplaced)
  const unmoved = new Set(result.unmoved)
  const known = new Set(result.payments.map((payment) => payment.paymentId))
  const unpaid = payments.filter((payment) => !known.has(payment.paymentId))
  const unshipped = shipments.filter((shipment) => result.unshipped.includes(shipment.shipmentId))
  const undelivered = deliveries.filter((delivery) => result.undelivered.includes(delivery.shipmentId))
  return {
    ...nothingAsked,
    statuses: [...result.unended, ...[...unpaid, ...unshipped].map(({ orderId }) => orderId)],
    orderKeys: orders.flatMap(({ command }) => (unplaced.has(command.orderId) ? [command] : [])),
    movementKeys: movements.filter((command) => unmoved.has(command.movementId)),
    paymentKeys: unpaid,
    payments: settlements.flatMap(({ paymentId }) => (known.has(paymentId) ? [] : [paymentId])),
    shipmentsOf: [...unshipped, ...undelivered].map(({ orderId }) => orderId),
  }
}

const lookUp = (run: Run, request: FactsRequest): Effect.Effect<FactsRead> =>
  untilReached(run.store.facts(run.shard, request))

const untilReached = <A>(read: Effect.Effect<A, StoreUnreachable>): Effect.Effect<A> =>
  read.pipe(
    Effect.catchTag("StoreUnreachable", () =>
      Effect.sleep(settlePauseMillis).pipe(Effect.flatMap(() => untilReached(read))),
    ),
  )
