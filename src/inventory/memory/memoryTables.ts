/**
 * The rows of the in-memory database that stands for PostgreSQL in tests and in the simulation, and the checks that
 * the migrations in `sql` make on them. One change to the tables is one transaction: it leaves all of it or nothing.
 *
 * Must stay true: a row that PostgreSQL would refuse is refused here with the same SQLSTATE, since the actor decides
 * by it whether a batch is halved, voided or sent again. Rows are replaced, never changed in place.
 */
import { Result } from "effect"
import { lineQuantityMax, orderTotalMax, priceAmountMax, productUnitsMax } from "../../domain/bounds.ts"
import { holdName, type IdempotencyKey, keyName, type PricedLine, unitsName } from "../../domain/commands.ts"
import type { OrderId, ProductId, Shard } from "../../domain/ids.ts"
import type { OrderStatus } from "../../domain/order.ts"
import { type CustomerUnits, StoreRejected } from "../store/ShardStore.ts"
import type {
  BatchRow,
  CartRow,
  HoldRow,
  LeaseRow,
  MovementRow,
  OrderLineRow,
  OrderRow,
  PaymentRow,
  PendingReturnRow,
  ProductRow,
  ShipmentRow,
  StockRow,
  WaiterRow,
} from "./memoryRows.ts"

/** A definite no, as PostgreSQL would have said it. */
export const violation = (sqlState: "22003" | "23503" | "23505" | "23514", message: string): StoreRejected =>
  new StoreRejected({ sqlState, message })

const demand = (holds: boolean, message: string): void => {
  if (!holds) throw violation("23514", message)
}
const within = (value: number, minimum: number, maximum: number): boolean => value >= minimum && value <= maximum
const hasLength = (text: string, maximum: number): boolean => within([...text].length, 1, maximum)

const checkKey = ({ fingerprint, key }: IdempotencyKey): void => {
  demand(hasLength(key, 255), "key")
  demand(/^[0-9a-f]{32}$/.test(fingerprint), "fingerprint")
}
const checkLine = ({ quantity, unitPrice }: PricedLine): void => {
  demand(within(quantity, 1, lineQuantityMax), "quantity")
  demand(within(unitPrice, 0, priceAmountMax), "unit_price")
}
const checkCurrency = (currency: string): void => demand(/^[A-Z]{3}$/.test(currency), "currency")
const checkCustomer = (customer: string): void => demand(hasLength(customer, 250), "customer")
const checkInteger = (value: number): void => {
  if (!within(value, -productUnitsMax - 1, productUnitsMax)) throw violation("22003", "integer out of range")
}

/** Rows by key. Every change notes how to take it back; `check` runs on every row that is put. */
export class Table<Row> {
  readonly #rows = new Map<string, Row>()
  readonly #journal: Array<() => void>
  readonly #keyOf: (row: Row) => string
  readonly #check: (row: Row) => void

  constructor(journal: Array<() => void>, keyOf: (row: Row) => string, check: (row: Row) => void) {
    this.#journal = journal
    this.#keyOf = keyOf
    this.#check = check
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key)
  }

  all(): ReadonlyArray<Row> {
    return [...this.#rows.values()]
  }

  insert(row: Row): void {
    if (this.#rows.has(this.#keyOf(row))) throw violation("23505", `duplicate key ${this.#keyOf(row)}`)
    this.put(row)
  }

  put(row: Row): void {
    this.#check(row)
    const key = this.#keyOf(row)
    const before = this.#rows.get(key)
    this.#rows.set(key, row)
    this.#journal.push(() => (before === undefined ? this.#rows.delete(key) : this.#rows.set(key, before)))
  }

  remove(row: Row): void {
    const key = this.#keyOf(row)
    const before = this.#rows.get(key)
    if (before === undefined || !this.#rows.delete(key)) return
    this.#journal.push(() => this.#rows.set(key, before))
  }
}

const neverPaid: ReadonlySet<OrderStatus> = new Set(["reserved", "cancelled", "expired"])

export const lineKey = (orderId: OrderId, productId: ProductId): string => `${orderId}/${productId}`
export const holdKey = (shard: Shard, name: IdempotencyKey, productId: ProductId): string =>
  `${shard}/${productId}/${holdName(name)}`

/** The tables of one database, with a lease for each of its shards. */
export class MemoryTables {
  readonly #journal: Array<() => void> = []

  readonly leases = new Table<LeaseRow>(
    this.#journal,
    (row) => `${row.shard}`,
    (row) => demand(row.epoch >= 0 && row.batch >= 0, "shard_leases"),
  )
  readonly batches = new Table<BatchRow>(
    this.#journal,
    (row) => `${row.shard}/${row.batch}`,
    (row) => {
      demand(row.batch > 0 && row.epoch > 0, "batches")
      demand(!row.voided || row.events.length === 0, "a voided batch changed nothing")
      this.#refer(this.leases, `${row.shard}`)
    },
  )
  readonly products = new Table<ProductRow>(
    this.#journal,
    (row) => row.productId,
    (row) => {
      demand(hasLength(row.name, 200) && within(row.price, 0, priceAmountMax), "products")
      demand(row.limitPerCustomer === null || (row.limitPerCustomer > 0 && row.countsUnits), "limit_per_customer")
      demand(row.version > 0, "version")
      demand(row.reservationTtlSeconds === null || within(row.reservationTtlSeconds, 1, 2_592_000), "ttl")
      checkCurrency(row.currency)
      this.#refer(this.leases, `${row.shard}`)
    },
  )
  readonly stock = new Table<StockRow>(
    this.#journal,
    (row) => row.productId,
    (row) => {
      checkInteger(row.stocked)
      checkInteger(row.available)
      demand(row.stocked >= 0 && within(row.available, 0, row.stocked), "stock_no_oversell")
      this.#refer(this.products, row.productId)
    },
  )
  readonly movements = new Table<MovementRow>(
    this.#journal,
    (row) => row.movementId,
    (row) => {
      checkKey(row)
      checkInteger(row.delta)
      demand(row.delta !== 0 || row.kind === "received", "delta")
      demand(row.kind === "received" ? row.delta >= 0 : row.kind !== "writtenOff" || row.delta < 0, "kind")
      demand(row.reason === null || [...row.reason].length <= 500, "reason")
      this.#refer(this.products, row.productId)
    },
  )
  /** The unique index of movements: caller and key. */
  readonly movementKeys = new Table<MovementRow>(this.#journal, keyName, () => undefined)
  readonly orders = new Table<OrderRow>(
    this.#journal,
    (row) => row.orderId,
    (row) => {
      checkKey(row)
      checkCurrency(row.currency)
      demand(row.customerRef === null || hasLength(row.customerRef, 200), "customer_ref")
      demand(within(row.total, 0, orderTotalMax), "total")
      demand(row.expiresAtMillis > row.createdAtMillis, "expires_at")
      demand(row.paidAtMillis !== null || neverPaid.has(row.status), "paid_at")
      demand(row.paidAtMillis === null || row.status !== "reserved", "paid_at")
    },
  )
  /** The unique index of orders: caller and key. */
  readonly orderKeys = new Table<OrderRow>(this.#journal, keyName, () => undefined)
  readonly orderLines = new Table<OrderLineRow>(this.#journal, (row) => lineKey(row.orderId, row.productId), checkLine)
  readonly carts = new Table<CartRow>(
    this.#journal,
    (row) => row.caller,
    (row) => demand(row.version > 0, "version"),
  )
  readonly holds = new Table<HoldRow>(
    this.#journal,
    (row) => holdKey(row.shard, row, row.productId),
    (row) => {
      checkKey(row)
      checkLine(row)
      checkCurrency(row.currency)
      checkCustomer(row.customer)
      demand(row.kind !== "offer" || row.key === `offer/${row.attempt}`, "offer")
      this.#refer(this.leases, `${row.shard}`)
      this.#refer(this.products, row.productId)
    },
  )
  readonly payments = new Table<PaymentRow>(
    this.#journal,
    (row) => row.paymentId,
    (row) => {
      checkKey(row)
      checkCurrency(row.currency)
      demand(hasLength(row.method, 100) && within(row.amount, 0, orderTotalMax), "payments")
      demand((row.status === "declined") === (row.declineCode !== null), "decline_code")
      demand((row.status === "processing") === (row.settledAtMillis === null), "settled_at")
      demand((row.method === "external") === (row.reference !== null), "reference")
      this.#refer(this.orders, row.orderId)
    },
  )
  /** The unique index of payments: caller and key. */
  readonly paymentKeys = new Table<PaymentRow>(this.#journal, keyName, () => undefined)
  readonly shipments = new Table<ShipmentRow>(
    this.#journal,
    (row) => `${row.orderId}/${row.merchantId}`,
    (row) => {
      demand(hasLength(row.carrier, 100) && hasLength(row.trackingNumber, 100), "shipments")
      this.#refer(this.orders, row.orderId)
    },
  )
  /** One place an account. */
  readonly waitingList = new Table<WaiterRow>(
    this.#journal,
    (row) => unitsName(row.productId, row.accountId),
    (row) => {
      demand(within(row.quantity, 1, lineQuantityMax), "quantity")
      this.#refer(this.products, row.productId)
    },
  )
  readonly pendingReturns = new Table<PendingReturnRow>(
    this.#journal,
    (row) => row.returnId,
    (row) => {
      demand(within(row.quantity, 1, lineQuantityMax), "quantity")
      checkCustomer(row.customer)
      this.#refer(this.leases, `${row.shard}`)
      this.#refer(this.products, row.productId)
      this.#refer(this.orders, row.orderId)
    },
  )
  readonly customerUnits = new Table<CustomerUnits>(
    this.#journal,
    (row) => unitsName(row.productId, row.customer),
    (row) => {
      checkInteger(row.units)
      checkCustomer(row.customer)
      demand(row.units >= 0, "units")
    },
  )

  constructor(shards: number) {
    for (let shard = 0; shard < shards; shard++) this.leases.put({ shard, epoch: 0, batch: 0, owner: "" })
    this.#journal.length = 0
  }

  /** Runs `change` as one transaction: where a check refuses it, all it did is taken back. */
  transact<A>(change: () => A): Result.Result<A, StoreRejected> {
    try {
      return Result.succeed(change())
    } catch (error) {
      for (const takeBack of this.#journal.toReversed()) takeBack()
      if (error instanceof StoreRejected) return Result.fail(error)
      throw error
    } finally {
      this.#journal.length = 0
    }
  }

  linesOf(orderId: OrderId): ReadonlyArray<OrderLineRow> {
    return this.orderLines.all().filter((line) => line.orderId === orderId)
  }

  paymentsOf(orderId: OrderId): ReadonlyArray<PaymentRow> {
    return this.payments.all().filter((payment) => payment.orderId === orderId)
  }

  shipmentsOf(orderId: OrderId): ReadonlyArray<ShipmentRow> {
    return this.shipments.all().filter((shipment) => shipment.orderId === orderId)
  }

  #refer<Row>(table: Table<Row>, key: string): void {
    if (table.get(key) === undefined) throw violation("23503", `no row ${key} to refer to`)
  }
}
