/**
 * One batch from its commands to everybody's answer: load what is missing, plan, commit, and say what came of it.
 * It changes the shard's state only by what the database confirmed, and answers nobody itself: the actor does.
 *
 * Must stay true: what a batch is refused for in memory is said only under a lease that is our own; what comes back for
 * somebody who waits is offered before anything else is decided.
 */
import { Clock, Effect, Result } from "effect"
import type { ProductId } from "../../domain/ids.ts"
import { resolve } from "./outcomes.ts"
import { type Plan, writes } from "./planner.ts"
import { factsAfter, reconstruct } from "./aftermath.ts"
import { isToldFromMemory, offerEntry, prepare, type Run } from "./preparation.ts"
import { settle, type Settled } from "./settlement.ts"
import { Busy, CommandFailed, type Entry, type Reply } from "./mailboxEntry.ts"
import type { BatchWrite } from "../../domain/batch.ts"
import type { Lease } from "../store/ShardStore.ts"

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
  const { entries, lease, planned } = prepared.success
  const covered = entries.slice(0, planned.decisions.length)
  const rest = entries.slice(planned.decisions.length)
  if (writes(planned)) return yield* commit(run, planned, covered, rest)

  const isOurs = lease === null || (lease.epoch === run.lease.epoch && lease.batch === run.lease.batch)
  if (isToldFromMemory(planned) && !isOurs) return gaveUp(run.entries, { isFenced: true })
  const answers = planned.decisions.flatMap((decision, at) => {
    const entry = covered[at]
    if (entry === undefined) return []
    if (decision._tag === "Offers") return [{ entry, answer: { _tag: "Done" } as const }]
    return decision._tag === "Answered" ? [{ entry, answer: decision.outcome }] : []
  })
  run.state.forgetOffered(planned.offered)
  refresh(run, covered)
  return { answers, again: [rest], lease: null, dropsState: false, isFenced: false }
})

/** What is remembered of these merchants' products is read anew from here on. */
const refresh = ({ state }: Run, covered: ReadonlyArray<Entry>): void => {
  for (const { command } of covered) if (command._tag === "Refresh") state.forgetMerchant(command.merchantId)
}

/**
 * Who waits for what this batch brought back comes first in the next: the offers to make before anything else. What was
 * to be offered before and could not be, since its sale has not begun, is looked at whenever somebody asks for it.
 */
const offersNext = (run: Run, planned: Plan, toOfferBefore: ReadonlySet<ProductId>): ReadonlyArray<Entry> => {
  const isDue = (productId: ProductId): boolean =>
    !toOfferBefore.has(productId) || planned.offered.get(productId)?.mayGoOn === true
  return [...run.state.toOffer]
    .filter((productId) => run.state.isToOffer(productId) && isDue(productId))
    .map(offerEntry)
}

/** Nothing happened to these: their callers may try again. */
const gaveUp = (entries: ReadonlyArray<Entry>, ending: Partial<Ending>): Ending => ({
  answers: entries.map((entry) => ({ entry, answer: new Busy() })),
  again: [],
  lease: null,
  dropsState: true,
  isFenced: false,
  ...ending,
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
    offerTtlMillis: run.offerTtlMillis,
  })
  const clock = yield* Clock.Clock
  const beganAt = clock.currentTimeNanosUnsafe()
  let batch = run.lease.batch + 1
  let settled = yield* settle(run.store, write(batch, "plain"), run.listener)
  if (settled._tag === "Rejected" && settled.sqlState === uniqueViolation) {
    if (settled.numberUsed) batch += 1
    settled = yield* settle(run.store, write(batch, "guarded"), run.listener)
  }
  run.listener.committed(Number(clock.currentTimeNanosUnsafe() - beganAt) / 1e9)
  if (settled._tag === "Fenced") return gaveUp(run.entries, { isFenced: true })
  if (settled._tag === "Rejected") {
    const lease = { epoch, batch: settled.numberUsed ? batch : batch - 1 }
    return yield* rejected(run, settled, covered, rest, lease)
  }
  return yield* applied(run, planned, settled, covered, rest, { epoch, batch })
})

const uniqueViolation = "23505"
/** Data, integrity, syntax or limits: one command's fault, so halving finds it. Anything else is the database's. */
const isOneCommandsFault = (sqlState: string): boolean => /^(22|23|42|54|XX)/.test(sqlState)

/** A batch that fails for a reason of its own is halved until the culprit stands alone; all others go through. */
const rejected = Effect.fnUntraced(function* (
  { listener, shard, state }: Run,
  { message, sqlState }: Extract<Settled, { _tag: "Rejected" }>,
  covered: ReadonlyArray<Entry>,
  rest: ReadonlyArray<Entry>,
  lease: Lease,
): Effect.fn.Return<Ending> {
  if (!isOneCommandsFault(sqlState)) return gaveUp(covered, { again: [rest], lease })
  const ending = { answers: [], lease, dropsState: true, isFenced: false }
  const [entry] = covered
  if (entry !== undefined && covered.length === 1) {
    if (!entry.isSuspect) {
      entry.isSuspect = true
      return { ...ending, again: [covered, rest] }
    }
    const reason = `${sqlState}: ${message}`
    if (entry.command._tag === "Offer") {
      // Nobody may be there to be told, and nobody else may have to wait for it.
      const { productId } = entry.command
      state.refuseOffers(productId)
      yield* Effect.logError("A product cannot be offered to those who wait for it").pipe(
        Effect.annotateLogs({ shard, productId, cause: reason }),
      )
    }
    return { ...ending, answers: [{ entry, answer: new CommandFailed({ reason }) }], again: [rest] }
  }
  listener.plannedAgain("halved")
  const half = Math.ceil(covered.length / 2)
  return { ...ending, again: [covered.slice(0, half), covered.slice(half), rest] }
})

const applied = Effect.fnUntraced(function* (
  run: Run,
  planned: Plan,
  settled: Extract<Settled, { _tag: "Applied" | "AppliedUnseen" }>,
  covered: ReadonlyArray<Entry>,
  rest: ReadonlyArray<Entry>,
  lease: Lease,
): Effect.fn.Return<Ending> {
  const result = settled._tag === "Applied" ? settled : yield* reconstruct(run, planned, settled.atMillis)
  const { unamended, unextended, unmoved, unoffered, unplaced } = result
  const isSurprise = unplaced.length + unmoved.length + unextended.length + unamended.length + unoffered.length > 0
  const facts = yield* factsAfter(run, planned, result)
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
  if (again.length > 0) run.listener.plannedAgain("surprise")
  run.listener.applied(planned.write, result)
  const { amendments, holds, joins, offers } = planned.write
  // Before what came back is noted: a batch may bring back what it has offered all of.
  run.state.forgetOffered(planned.offered)
  const toOfferBefore = new Set(run.state.toOffer)
  run.state.apply(result, planned.expected, !isSurprise)
  run.state.markWaiting(joins.map((join) => join.productId))
  run.state.forget(amendments.map((amendment) => amendment.productId))
  run.state.markHeld(
    [...holds.flatMap((hold) => hold.lines), ...offers].map((line) => line.productId),
    true,
  )
  const dropsState = settled._tag === "AppliedUnseen"
  const first = offersNext(run, planned, toOfferBefore)
  refresh(run, covered)
  return { answers: due, again: [first, again, rest], lease, dropsState, isFenced: false }
})
