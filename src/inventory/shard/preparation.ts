/**
 * What stands before a batch's commit: what it needs to know is loaded, the offers that have to be made before it are put
 * in front, and the plan is made.
 *
 * Must stay true: facts are read once and only where needed. A plan that accepts everything reads nothing, since the
 * commit itself tells repeats; a plan that refuses anything is made again with every key of the batch known, because
 * only so is the outcome the same as one at a time.
 */
import { Effect } from "effect"
import type { Waiter } from "../../domain/batch.ts"
import { offeredProductsMax, offersMax } from "../../domain/bounds.ts"
import { type Command, type Customer, holdName, keyName, unitsName } from "../../domain/commands.ts"
import type { ProductId, Shard } from "../../domain/ids.ts"
import {
  type FactsRead,
  type Lease,
  nothingAsked,
  nothingRead,
  type ShardStore,
  type StoreUnreachable,
} from "../store/ShardStore.ts"
import type { InventoryListener } from "../InventoryListener.ts"
import type { Facts } from "./draft.ts"
import type { Entry } from "./mailboxEntry.ts"
import { plan, type Plan } from "./planner.ts"
import type { ShardState } from "./ShardState.ts"

export interface Run {
  readonly shard: Shard
  readonly store: ShardStore["Service"]
  readonly state: ShardState
  readonly lease: Lease
  readonly entries: ReadonlyArray<Entry>
  readonly nowMillis: number
  readonly offerTtlMillis: number
  readonly listener: InventoryListener
}

interface Prepared {
  /** The batch, behind the offers that have to be made before it. */
  readonly entries: ReadonlyArray<Entry>
  readonly planned: Plan
  /** The lease at the moment the keys were read; null where nothing was refused, so that none had to be. */
  readonly lease: Lease | null
}

export const prepare = Effect.fnUntraced(function* (run: Run): Effect.fn.Return<Prepared, StoreUnreachable> {
  const { nowMillis, shard, state, store } = run
  yield* loadProducts(
    run,
    run.entries.map((entry) => entry.command),
  )
  const entries = state.toOffer.size === 0 ? run.entries : [...offersBefore(run), ...run.entries]
  const commands = withinOffers(entries.map((entry) => entry.command))
  const waiters = yield* loadWaiters(run, commands)
  yield* loadUnits(run, commands, waiters)
  const holds = commands.filter((command) => command._tag === "Hold")
  const read = holds.length === 0 ? nothingRead : yield* store.facts(shard, { ...nothingAsked, holds })
  const first = plan(shard, state.products, factsFrom(read, state, waiters), commands, nowMillis)
  if (!isToldFromMemory(first)) return { entries, planned: first, lease: null }

  const heldProducts = productsOf(commands).filter((productId) => state.products.get(productId)?.mayHaveHolds)
  const everything = yield* store.facts(shard, {
    ...nothingAsked,
    orderKeys: commands.filter((command) => command._tag === "Reserve"),
    movementKeys: commands.filter((command) => command._tag === "Restock"),
    holds,
    heldProducts,
  })
  const facts = factsFrom(everything, state, waiters)
  const released = heldProducts.filter((productId) => (facts.heldUnits.get(productId) ?? 0) === 0)
  state.markHeld(released, false)
  const { lease } = everything
  const learnt = everything.orders.length + everything.movements.length + heldProducts.length - released.length
  if (learnt === 0) return { entries, planned: first, lease }
  run.listener.plannedAgain("facts")
  return { entries, planned: plan(shard, state.products, facts, commands, nowMillis), lease }
})

/**
 * Offers of what this batch asks for, where somebody waits who may want no more than there is. None where the batch
 * begins with one itself, so that an offer that the database refuses is found alone in the end.
 */
const offersBefore = ({ entries, state }: Run): ReadonlyArray<Entry> => {
  const offered = new Set<ProductId>()
  for (const { command } of entries) {
    if (command._tag !== "Offer") break
    offered.add(command.productId)
  }
  return productsOf(entries.map((entry) => entry.command))
    .filter((productId) => state.isToOffer(productId) && !offered.has(productId))
    .map(offerEntry)
}

/** The commands before the first that offers one product more than a batch does; the others are left to the next. */
const withinOffers = (commands: ReadonlyArray<Command>): ReadonlyArray<Command> => {
  const offered = new Set<ProductId>()
  const end = commands.findIndex((command) => {
    if (command._tag === "Offer") offered.add(command.productId)
    return offered.size > offeredProductsMax
  })
  return end === -1 ? commands : commands.slice(0, end)
}

const loadWaiters = Effect.fnUntraced(function* ({ shard, state, store }: Run, commands: ReadonlyArray<Command>) {
  const waiters = new Map<ProductId, Array<Waiter>>()
  const productIds = commands.flatMap((command) => {
    const isOffer = command._tag === "Offer" && state.products.get(command.productId)?.mayHaveWaiters === true
    return isOffer ? [command.productId] : []
  })
  if (productIds.length === 0) return waiters
  for (const { productId, ...waiter } of yield* store.waiters(shard, [...new Set(productIds)], offersMax + 1)) {
    const others = waiters.get(productId)
    if (others === undefined) waiters.set(productId, [waiter])
    else others.push(waiter)
  }
  return waiters
})

const loadProducts = Effect.fnUntraced(function* ({ shard, state, store }: Run, commands: ReadonlyArray<Command>) {
  const missing = productsOf(commands).filter((productId) => !state.products.has(productId))
  if (missing.length > 0) state.remember(yield* store.products(shard, missing))
})

const loadUnits = Effect.fnUntraced(function* (
  { shard, state, store }: Run,
  commands: ReadonlyArray<Command>,
  waiters: Facts["waiters"],
) {
  const missing = new Map<string, { productId: ProductId; customer: Customer }>()
  const need = (productId: ProductId, customer: Customer): void => {
    const name = unitsName(productId, customer)
    const isCounted = state.products.get(productId)?.countsUnits ?? false
    if (isCounted && !state.units.has(name)) missing.set(name, { productId, customer })
  }
  for (const command of commands) {
    if (command._tag === "Join") need(command.productId, command.accountId)
    if (command._tag !== "Reserve" && command._tag !== "Hold") continue
    for (const { productId } of command.lines) need(productId, command.customer)
  }
  for (const [productId, waiting] of waiters) for (const { accountId } of waiting) need(productId, accountId)
  if (missing.size === 0) return
  state.rememberUnits(yield* store.units(shard, [...missing.values()]))
})

/**
 * Whether somebody is told what only a shard's own writer may say: a refusal, that there was nothing to edit, or that
 * nothing old is remembered.
 */
export const isToldFromMemory = ({ decisions, refuses }: Plan): boolean =>
  refuses || decisions.some((decision) => decision._tag === "Answered" && decision.outcome._tag !== "Repeated")

/** An offer that the shard makes of its own accord; nobody waits for its answer. */
export const offerEntry = (productId: ProductId): Entry => ({
  command: { _tag: "Offer", productId },
  deadlineMillis: Infinity,
  span: null,
  enqueuedAt: 0n,
  enqueuedAtMillis: 0,
  phase: "taken",
  isPlannedAgain: false,
  isSuspect: false,
  resume: () => {},
})

const factsFrom = (read: Omit<FactsRead, "lease">, state: ShardState, waiters: Facts["waiters"]): Facts => {
  const holds = new Map<string, Array<FactsRead["holds"][number]>>()
  for (const row of read.holds) {
    const rows = holds.get(holdName(row))
    if (rows === undefined) holds.set(holdName(row), [row])
    else rows.push(row)
  }
  return {
    orders: new Map(read.orders.map((order) => [keyName(order), order])),
    movements: new Map(read.movements.map((movement) => [keyName(movement), movement])),
    holds,
    heldUnits: new Map(read.heldUnits.map(({ productId, units }) => [productId, units])),
    units: state.units,
    waiters,
  }
}

const asksForOne: ReadonlySet<Command["_tag"]> = new Set(["Restock", "Amend", "Join", "Offer"])

/** The products that a plan decides about; what is only given back needs none. */
const productsOf = (commands: ReadonlyArray<Command>): ReadonlyArray<ProductId> => {
  const productIds = new Set<ProductId>()
  for (const command of commands) {
    if (asksForOne.has(command._tag) && "productId" in command) productIds.add(command.productId)
    else if (command._tag === "Reserve" || command._tag === "Hold") {
      for (const line of command.lines) productIds.add(line.productId)
    }
  }
  return [...productIds]
}
