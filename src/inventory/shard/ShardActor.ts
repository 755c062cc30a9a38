/**
 * The writer of one shard: a fiber, its bounded mailbox, its products' state and the only right to commit for them.
 * A batch is what arrived while the last commit was in flight, up to `batchSizeMax`; each is planned by the pure
 * planner and committed as one statement.
 *
 * Must stay true: a reply leaves only after the commit it depends on (promise 4); a command past its deadline or
 * given up by its caller drops out before it is planned, never after (promise 5); a refusal leaves only while the
 * lease is our own (promise 7); one command's failure never touches another's (promise 10); the loop never dies.
 *
 * Modes: it serves while it has a lease; without one it answers `busy` to everything; drained it accepts nothing and
 * its fiber ends. `grant` and `revoke` move between the first two, `drain` is final.
 */
import { Cause, Clock, Effect, Exit, Fiber, Latch, Queue, Scheduler, type Scope } from "effect"
import { settlePauseMillis } from "../../domain/bounds.ts"
import type { Command, Outcome, OutcomeOf } from "../../domain/commands.ts"
import type { Shard } from "../../domain/ids.ts"
import { recordedSpanOf } from "../../platform/tracing/spans.ts"
import { InventoryListener, type LoadedProduct } from "../InventoryListener.ts"
import { runBatch, type Ending } from "./batch.ts"
import { beginBatchTrace } from "./batchTrace.ts"
import { DeadlineWheel } from "./DeadlineWheel.ts"
import { Busy, type CommandError, type Entry, OutcomeUnknown, type Reply } from "./mailboxEntry.ts"
import { voidUntilKnown } from "./settlement.ts"
import { ShardState } from "./ShardState.ts"
import type { Lease, ShardStore } from "../store/ShardStore.ts"

export interface ShardActorSettings {
  readonly mailboxSize: number
  readonly batchSizeMax: number
  /** How long a batch waits for company once its first command is there; it starts sooner when it is full. */
  readonly lingerMillis: number
  /** How long an offer to somebody on a waiting list stands. */
  readonly offerTtlMillis: number
}

/** What `GET /v1/ops/shards` and the metrics show. */
export interface ShardStatus {
  readonly shard: Shard
  readonly lease: Lease | null
  readonly mailboxDepth: number
  readonly batches: number
  readonly commands: number
  readonly lastBatchSize: number
}

export interface ShardActor {
  readonly shard: Shard
  /**
   * Decides a command. `deadlineMillis` is a time of this process's clock: past it the caller is told `busy` if the
   * command was still waiting, `outcome_unknown` if it was being committed. Interruption gives up a waiting command.
   */
  readonly submit: <C extends Command>(command: C, deadlineMillis: number) => Effect.Effect<OutcomeOf<C>, CommandError>
  readonly grant: (lease: Lease) => void
  readonly revoke: () => void
  /** Accepts nothing new, decides what was accepted, and ends when everybody has an answer. */
  readonly drain: Effect.Effect<void>
  readonly status: () => ShardStatus
  /** The products in memory, as the last commit left them. */
  readonly products: () => Iterable<LoadedProduct>
}

export const make = Effect.fnUntraced(function* (
  shard: Shard,
  store: ShardStore["Service"],
  settings: ShardActorSettings,
  /** Told once for each lease that another writer took from us. */
  onFenced: (shard: Shard) => void,
): Effect.fn.Return<ShardActor, never, Scope.Scope> {
  const mailbox = yield* Queue.bounded<Entry, Cause.Done>(settings.mailboxSize)
  const dispatcher = (yield* Scheduler.Scheduler).makeDispatcher()
  const state = new ShardState()
  const wheel = new DeadlineWheel<Entry>()
  const wheelTurns = Latch.makeUnsafe(false)
  const mailboxFull = Latch.makeUnsafe(false)
  /** Groups that go before anything in the mailbox, first one first; a group is planned by itself. */
  const front: Array<ReadonlyArray<Entry>> = []
  const counts = { batches: 0, commands: 0, lastBatchSize: 0 }
  let lease: Lease | null = null
  /** A lease granted, or "none" where it was revoked, since the loop last looked. */
  let ordered: Lease | "none" | null = null
  let isDraining = false
  const { offerTtlMillis } = settings
  const clock = yield* Clock.Clock
  const listener = yield* InventoryListener

  /** Callers run when the loop next gives way, by when it has sent the next commit: PostgreSQL is not kept waiting. */
  const answer = (answers: ReadonlyArray<readonly [Entry, Effect.Effect<Outcome, CommandError>]>): void => {
    const due = answers.filter(([entry]) => entry.phase !== "answered")
    for (const [entry] of due) {
      entry.phase = "answered"
      wheel.remove(entry, entry.deadlineMillis)
    }
    if (due.length > 0) {
      dispatcher.scheduleTask(() => {
        for (const [entry, effect] of due) entry.resume(effect)
      }, 0)
    }
  }
  const answerAll = (entries: ReadonlyArray<Entry>, effect: Effect.Effect<Outcome, CommandError>): void =>
    answer(entries.map((entry) => [entry, effect] as const))

  const passDeadlines = (nowMillis: number): void => {
    for (const entry of wheel.takePassed(nowMillis)) {
      answerAll([entry], entry.phase === "taken" ? outcomeUnknown : busy)
    }
  }
  const turnWheel = Effect.gen(function* () {
    if (wheel.isEmpty) {
      wheelTurns.closeUnsafe()
      yield* wheelTurns.await
    }
    yield* Effect.sleep(DeadlineWheel.tickMillis)
    passDeadlines(yield* Clock.currentTimeMillis)
  })

  const submit = <C extends Command>(command: C, deadlineMillis: number): Effect.Effect<OutcomeOf<C>, CommandError> =>
    Effect.withFiber((fiber) => {
      const span = recordedSpanOf(fiber)
      const enqueuedAt = span === null ? 0n : clock.currentTimeNanosUnsafe()
      return Effect.callback<Outcome, CommandError>((resume) => {
        const entry: Entry = {
          command,
          deadlineMillis,
          span,
          enqueuedAt,
          enqueuedAtMillis: clock.currentTimeMillisUnsafe(),
          phase: "waiting",
          isPlannedAgain: false,
          isSuspect: false,
          resume,
        }
        if (isDraining || currentLease() === null) return resume(busy)
        if (!Queue.offerUnsafe(mailbox, entry)) {
          listener.refusedFull(shard)
          return resume(busy)
        }
        if (Queue.sizeUnsafe(mailbox) >= settings.batchSizeMax) mailboxFull.openUnsafe()
        wheel.add(entry, deadlineMillis)
        wheelTurns.openUnsafe()
        return Effect.sync(() => {
          if (entry.phase !== "waiting") return
          entry.phase = "answered"
          wheel.remove(entry, deadlineMillis)
        })
      })
    }) as Effect.Effect<OutcomeOf<C>, CommandError>

  /** The next group: what goes first, else what has arrived, given `lingerMillis` of company where that is set. */
  const take = Effect.fnUntraced(function* () {
    const first = front.shift()
    if (first !== undefined) return first
    if (settings.lingerMillis > 0) {
      yield* Effect.asVoid(Queue.peek(mailbox))
      if (Queue.sizeUnsafe(mailbox) < settings.batchSizeMax) {
        mailboxFull.closeUnsafe()
        yield* Effect.timeoutOption(mailboxFull.await, settings.lingerMillis)
      }
    }
    return yield* Queue.takeBetween(mailbox, 1, settings.batchSizeMax)
  })

  const currentLease = (): Lease | null => (ordered === null ? lease : ordered === "none" ? null : ordered)
  const followOrders = (): void => {
    if (ordered === null) return
    lease = currentLease()
    ordered = null
    state.clear()
  }
  const loseLease = (): void => {
    lease = null
    state.clear()
    if (ordered !== null) return
    listener.fenced(shard)
    onFenced(shard)
  }

  /** Those that are still wanted and in time; from here on a caller can no longer give up. */
  const claim = (group: ReadonlyArray<Entry>, nowMillis: number): ReadonlyArray<Entry> => {
    const claimed: Array<Entry> = []
    const late: Array<Entry> = []
    for (const entry of group) {
      if (entry.phase === "answered") continue
      if (entry.deadlineMillis <= nowMillis) late.push(entry)
      else claimed.push(entry)
    }
    for (const entry of claimed) {
      entry.phase = "taken"
      listener.waited((nowMillis - entry.enqueuedAtMillis) / 1000)
    }
    for (const _ of late) listener.late(shard)
    answerAll(late, busy)
    return claimed
  }

  /** Puts groups before everything else; they may be given up again, since nothing happened to them. */
  const putInFront = (groups: ReadonlyArray<ReadonlyArray<Entry>>): void => {
    for (const group of groups) {
      for (const entry of group) if (entry.phase === "taken") entry.phase = "waiting"
    }
    front.unshift(...groups.filter((group) => group.length > 0))
  }

  const conclude = (ending: Ending): void => {
    if (ending.lease !== null) lease = ending.lease
    if (ending.dropsState) state.clear()
    putInFront(ending.again)
    for (const { answer: reply, entry } of ending.answers) listener.decided(entry.command._tag, reply._tag)
    answer(ending.answers.map(({ answer: reply, entry }) => [entry, replyEffect(reply)] as const))
    if (ending.isFenced) loseLease()
    state.trim()
  }

  /**
   * After a defect nobody knows what was sent: numbers are given up until one was still free, before another write may
   * use any. The next number alone was not enough, since a batch whose plain form was voided sends a second one.
   */
  const recover = Effect.fnUntraced(function* (entries: ReadonlyArray<Entry>, cause: Cause.Cause<unknown>) {
    yield* Effect.logError("A batch failed by a defect; its state is dropped", cause).pipe(
      Effect.annotateLogs({ shard }),
    )
    answerAll(
      entries.filter((entry) => entry.phase === "taken"),
      outcomeUnknown,
    )
    state.clear()
    while (lease !== null) {
      const batch = lease.batch + 1
      // A second defect, here, must not end the loop: the number is given up once the store answers again.
      const voided = yield* voidUntilKnown(store, { shard, epoch: lease.epoch, batch }).pipe(
        Effect.catchDefect(() => Effect.as(Effect.sleep(settlePauseMillis), null)),
      )
      if (voided === null) continue
      if (voided !== "voided" && voided._tag === "Fenced") loseLease()
      else lease = { epoch: lease.epoch, batch }
      if (voided === "voided") return
    }
  })

  const turn = Effect.gen(function* () {
    const group = yield* take()
    followOrders()
    if (lease === null) return answerAll(group, busy)
    const nowMillis = yield* Clock.currentTimeMillis
    const entries = claim(group, nowMillis)
    if (entries.length === 0) return
    counts.batches += 1
    counts.commands += entries.length
    counts.lastBatchSize = entries.length
    const trace = beginBatchTrace(shard, entries, clock)
    const batch = runBatch({ shard, store, state, lease, entries, nowMillis, offerTtlMillis, listener })
    const takenAt = clock.currentTimeNanosUnsafe()
    const exit = yield* (trace === null ? batch : trace.around(batch)).pipe(
      Effect.matchCauseEffect({
        onSuccess: (ending) => Effect.sync(() => (conclude(ending), Exit.void)),
        onFailure: (cause) =>
          Cause.hasInterrupts(cause)
            ? Effect.failCause(cause)
            : Effect.as(recover(entries, cause), Exit.failCause(cause)),
      }),
    )
    trace?.end(exit)
    listener.batched(entries.length, Number(clock.currentTimeNanosUnsafe() - takenAt) / 1e9)
  })

  yield* Effect.forkScoped(Effect.forever(turnWheel))
  const loop = yield* Effect.forkScoped(
    turn.pipe(
      Effect.forever({ disableYield: true }),
      Effect.catchIf(Cause.isDone, () => Effect.void),
    ),
  )

  return {
    shard,
    submit,
    grant: (next) => {
      ordered = next
    },
    revoke: () => {
      ordered = "none"
    },
    drain: Effect.gen(function* () {
      isDraining = true
      yield* Queue.end(mailbox)
      yield* Fiber.await(loop)
      // The last answers are on their way by now: behind them everybody has one.
      yield* Effect.callback<void>((resume) => dispatcher.scheduleTask(() => resume(Effect.void), 0))
    }),
    products: () => state.products.values(),
    status: () => ({ shard, lease: currentLease(), mailboxDepth: Queue.sizeUnsafe(mailbox), ...counts }),
  }
})

const busy = Effect.fail(new Busy())
const outcomeUnknown = Effect.fail(new OutcomeUnknown())

const replyEffect = (reply: Reply): Effect.Effect<Outcome, CommandError> => {
  switch (reply._tag) {
    case "Busy":
    case "OutcomeUnknown":
    case "CommandFailed":
      return Effect.fail(reply)
    default:
      return Effect.succeed(reply)
  }
}
