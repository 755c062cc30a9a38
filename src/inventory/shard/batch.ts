/**
 * One batch from its commands to everybody's answer: load what is missing, plan, commit, and say what came of it.
 * It changes the shard's state only by what the database confirmed, and answers nobody itself: the actor does.
 *
 * Must stay true: facts are read once and only where needed. A plan that accepts everything reads nothing, since the
 * commit itself tells repeats; a plan that refuses anything is made again with every key of the batch known, because
 * only so is the outcome the same as one at a time.
 */
import { Effect, Result } from "effect"
import { settlePauseMillis } from "../../domain/bounds.ts"
import { type Command, type Customer, holdName, keyName, unitsName } from "../../domain/commands.ts"
import type { ProductId, Shard } from "../../domain/ids.ts"
import { resolve } from "./outcomes.ts"
import type { Facts } from "./draft.ts"
import { plan, type Plan, writes } from "./planner.ts"
import { settle, type Settled } from "./settlement.ts"
import { Busy, CommandFailed, type Entry, type Reply } from "./mailboxEntry.ts"
import type { ShardState } from "./ShardState.ts"
import type { BatchWrite } from "../../domain/batch.ts"
import type { Applied, FactsRead, FactsRequest, Lease, ShardStore, StoreUnreachable } from "../store/ShardStore.ts"

export interface Run {
  readonly shard: Shard
  readonly store: ShardStore["Service"]
  readonly state: ShardState
  readonly lease: Lease
  readonly entries: ReadonlyArray<Entry>
  readonly nowMillis: number
}

export interface Ending {
  readonly answers: ReadonlyArray<{ readonly entry: Entry; readonly answer: Reply }>
  /** Groups to decide again, before anything else and each by itself. */
  readonly again: ReadonlyArray<ReadonlyArray<Entry>>
  /** The lease after this batch; null where it was not used. */
  readonly lease: Lease | null
  readonly dropsState: boolean
  readonly isFenced: boolean
}

export const runBatch = Effect.fnUntraced(function* (run: Run): Effect.fn.Return<Ending> {
  const prepared = yield* Effect.result(prepare(run))
  if (Result.isFailure(prepared)) return gaveUp(run.entries, {})
  const { lease, planned } = prepared.success
  const covered = run.entries.slice(0, planned.decisions.length)
  const rest = run.entries.slice(planned.decisions.length)
  if (writes(planned)) return yield* commit(run, planned, covered, rest)

  const isOurs = lease === null || (lease.epoch === run.lease.epoch && lease.batch === run.lease.batch)
  if (isToldFromMemory(planned) && !isOurs) return gaveUp(run.entries, { isFenced: true })
  const answers = planned.decisions.flatMap((decision, at) => {
    const entry = covered[at]
    return entry !== undefined && decision._tag === "Answered" ? [{ entry, answer: decision.outcome }] : []
  })
  return { answers, again: [rest], lease: null, dropsState: false, isFenced: false }
})

/** Nothing happened to these: their callers may try again. */
const gaveUp = (entries: ReadonlyArray<Entry>, ending: Partial<Ending>): Ending => ({
  answers: entries.map((entry) => ({ entry, answer: new Busy() })),
  again: [],
  lease: null,
  dropsState: true,
  isFenced: false,
  ...ending,
})

/** Whether somebody is told what only a shard's own writer may say: a refusal, or that there was nothing to edit. */
const isToldFromMemory = ({ decisions, refuses }: Plan): boolean =>
  refuses || decisions.some((decision) => decision._tag === "Answered" && decision.outcome._tag === "Amended")

interface Prepared {
  readonly planned: Plan
  /** The lease at the moment the keys were read; null where nothing was refused, so that none had to be. */
  readonly lease: Lease | null
}

const prepare = Effect.fnUntraced(function* (run: Run): Effect.fn.Return<Prepared, StoreUnreachable> {
  const { nowMillis, shard, state, store } = run
  const commands = run.entries.map((entry) => entry.command)
  yield* loadProducts(run, commands)
  yield* loadUnits(run, commands)
  const holds = commands.filter((command) => command._tag === "Hold")
  const read = holds.length === 0 ? nothingRead : yield* store.facts(shard, { ...nothingAsked, holds })
  const first = plan(shard, state.products, factsFrom(read, state), commands, nowMillis)
  if (!isToldFromMemory(first)) return { planned: first, lease: null }

  const heldProducts = productsOf(commands).filter((productId) => state.products.get(productId)?.mayHaveHolds)
  const everything = yield* store.facts(shard, {
    orderKeys: commands.filter((command) => command._tag === "Reserve"),
    movementKeys: commands.filter((command) => command._tag === "Restock"),
    holds,
    heldProducts,
    statuses: [],
  })
  const facts = factsFrom(everything, state)
  const released = heldProducts.filter((productId) => (facts.heldUnits.get(productId) ?? 0) === 0)
  state.markHeld(released, false)
  const { lease } = everything
  const learnt = everything.orders.length + everything.movements.length + heldProducts.length - released.length
  if (learnt === 0) return { planned: first, lease }
  return { planned: plan(shard, state.products, facts, commands, nowMillis), lease }
})

const loadProducts = Effect.fnUntraced(function* ({ shard, state, store }: Run, commands: ReadonlyArray<Command>) {
  const missing = productsOf(commands).filter((productId) => !state.products.has(productId))
  if (missing.length > 0) state.remember(yield* store.products(shard, missing))
})

const loadUnits = Effect.fnUntraced(function* ({ shard, state, store }: Run, commands: ReadonlyArray<Command>) {
  const missing = new Map<string, { productId: ProductId; customer: Customer }>()
  for (const command of commands) {
    if (command._tag !== "Reserve" && command._tag !== "Hold") continue
    for (const { productId } of command.lines) {
      const name = unitsName(productId, command.customer)
      const isCounted = state.products.get(productId)?.countsUnits ?? false
      if (isCounted && !state.units.has(name)) missing.set(name, { productId, customer: command.customer })
    }
  }
  if (missing.size === 0) return
  state.rememberUnits(yield* store.units(shard, [...missing.values()]))
})

const commit = Effect.fnUntraced(function* (
  run: Run,
  planned: Plan,
  covered: ReadonlyArray<Entry>,
  rest: ReadonlyArray<Entry>,
): Effect.fn.Return<Ending> {
  const { epoch } = run.lease
  const write = (batch: number, form: BatchWrite["form"]): BatchWrite => ({
    ...planned.write,
    shard: run.shard,
    epoch,
    batch,
    form,
  })
  let batch = run.lease.batch + 1
  let settled = yield* settle(run.store, write(batch, "plain"))
  if (settled._tag === "Rejected" && settled.sqlState === uniqueViolation) {
    if (settled.numberUsed) batch += 1
    settled = yield* settle(run.store, write(batch, "guarded"))
  }
  if (settled._tag === "Fenced") return gaveUp(run.entries, { isFenced: true })
  if (settled._tag === "Rejected") {
    const lease = { epoch, batch: settled.numberUsed ? batch : batch - 1 }
    return rejected(settled, covered, rest, lease)
  }
  return yield* applied(run, planned, settled, covered, rest, { epoch, batch })
})

const uniqueViolation = "23505"
/** Data, integrity, syntax or limits: one command's fault, so halving finds it. Anything else is the database's. */
const isOneCommandsFault = (sqlState: string): boolean => /^(22|23|42|54|XX)/.test(sqlState)

/** A batch that fails for a reason of its own is halved until the culprit stands alone; all others go through. */
const rejected = (
  { message, sqlState }: Extract<Settled, { _tag: "Rejected" }>,
  covered: ReadonlyArray<Entry>,
  rest: ReadonlyArray<Entry>,
  lease: Lease,
): Ending => {
  if (!isOneCommandsFault(sqlState)) return gaveUp(covered, { again: [rest], lease })
  const ending = { answers: [], lease, dropsState: true, isFenced: false }
  const [entry] = covered
  if (entry !== undefined && covered.length === 1) {
    if (entry.isSuspect) {
      const reason = `${sqlState}: ${message}`
      return { ...ending, answers: [{ entry, answer: new CommandFailed({ reason }) }], again: [rest] }
    }
    entry.isSuspect = true
    return { ...ending, again: [covered, rest] }
  }
  const half = Math.ceil(covered.length / 2)
  return { ...ending, again: [covered.slice(0, half), covered.slice(half), rest] }
}

const applied = Effect.fnUntraced(function* (
  run: Run,
  planned: Plan,
  settled: Extract<Settled, { _tag: "Applied" | "AppliedUnseen" }>,
  covered: ReadonlyArray<Entry>,
  rest: ReadonlyArray<Entry>,
  lease: Lease,
): Effect.fn.Return<Ending> {
  const result = settled._tag === "Applied" ? settled : yield* reconstruct(run, planned, settled.atMillis)
  const { unamended, unended, unextended, unmoved, unplaced } = result
  const isSurprise = unplaced.length + unmoved.length + unextended.length + unamended.length > 0
  const facts = isSurprise || unended.length > 0 ? yield* lookUp(run, keysOf(planned, result)) : nothingRead
  const { answers, surprisedAt } = resolve(planned, result, facts, covered)

  const again: Array<Entry> = []
  const due: Array<{ entry: Entry; answer: Reply }> = []
  for (const [at, answered] of answers.entries()) {
    const { answer, entry } = answered
    const isRefused = answer._tag === "Refused" && answer.refusal.code !== "idempotency_key_reused"
    const isGuess = at > surprisedAt && isRefused && planned.decisions[at]?._tag === "Answered"
    // Once more for each; who meets another surprise then is not refused for what nobody took.
    if (isGuess && !entry.isPlannedAgain) again.push(entry)
    else due.push(isGuess ? { entry, answer: new Busy() } : answered)
    if (isGuess) entry.isPlannedAgain = true
  }
  run.state.apply(result, planned.expected, !isSurprise)
  run.state.forget(planned.write.amendments.map((amendment) => amendment.productId))
  run.state.markHeld(
    planned.write.holds.flatMap((hold) => hold.lines.map((line) => line.productId)),
    true,
  )
  const dropsState = settled._tag === "AppliedUnseen"
  return { answers: due, again: [again, rest], lease, dropsState, isFenced: false }
})

/**
 * What a commit did whose answer was lost, read from the rows it left; extensions count as not made, and carts of
 * orders that were not placed as changed, since both only ask their callers to try again.
 */
const reconstruct = Effect.fnUntraced(function* (run: Run, planned: Plan, atMillis: number): Effect.fn.Return<Applied> {
  const { amendments, endings, extensions, movements, orders } = planned.write
  const facts = yield* lookUp(run, {
    ...nothingAsked,
    orderKeys: orders.map((order) => order.command),
    movementKeys: movements,
    statuses: endings.map((ending) => ending.orderId),
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
  return {
    _tag: "Applied",
    atMillis,
    unplaced: unplaced.map((command) => command.orderId),
    cartsChanged: unplaced.filter((command) => command.cartVersion !== null).map((command) => command.orderId),
    unmoved: movements.map((movement) => movement.movementId).filter((movementId) => !moved.has(movementId)),
    unextended: extensions,
    unended: endings.filter(({ orderId, status }) => statuses.get(orderId) !== status).map(({ orderId }) => orderId),
    // A later writer may have edited it again since: only a version that has not moved says that this was not made.
    unamended: amendments.filter(({ productId, version }) => (versions.get(productId) ?? 0) <= version),
    stock: products,
    units: [],
  }
})

const keysOf = (planned: Plan, result: Applied): FactsRequest => {
  const unplaced = new Set(result.unplaced)
  const unmoved = new Set(result.unmoved)
  return {
    ...nothingAsked,
    statuses: result.unended,
    orderKeys: planned.write.orders.flatMap(({ command }) => (unplaced.has(command.orderId) ? [command] : [])),
    movementKeys: planned.write.movements.filter((command) => unmoved.has(command.movementId)),
  }
}

const nothingAsked: FactsRequest = { orderKeys: [], movementKeys: [], holds: [], heldProducts: [], statuses: [] }
const nothingRead: Omit<FactsRead, "lease"> = { orders: [], movements: [], holds: [], heldUnits: [], statuses: [] }

/** After a commit the answer has to be found, however long the database takes to come back; deadlines run meanwhile. */
const lookUp = (run: Run, request: FactsRequest): Effect.Effect<FactsRead> =>
  untilReached(run.store.facts(run.shard, request))

const untilReached = <A>(read: Effect.Effect<A, StoreUnreachable>): Effect.Effect<A> =>
  read.pipe(
    Effect.catchTag("StoreUnreachable", () =>
      Effect.sleep(settlePauseMillis).pipe(Effect.flatMap(() => untilReached(read))),
    ),
  )

const factsFrom = (read: Omit<FactsRead, "lease">, state: ShardState): Facts => {
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
  }
}

/** The products that a plan decides about; what is only given back needs none. */
const productsOf = (commands: ReadonlyArray<Command>): ReadonlyArray<ProductId> => {
  const productIds = new Set<ProductId>()
  for (const command of commands) {
    if (command._tag === "Restock" || command._tag === "Amend") productIds.add(command.productId)
    else if (command._tag === "Reserve" || command._tag === "Hold") {
      for (const line of command.lines) productIds.add(line.productId)
    }
  }
  return [...productIds]
}
