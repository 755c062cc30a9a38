/**
 * Buyers that order as long as they are let, while others look around, and a record of every request with its answer.
 * Half of them are patient and ask again with the same key until they know; the others try something new. Must stay
 * true: nothing is asked that is not written down, and a crowd ends with every answer it can still get.
 */
import { Deferred, Effect, Fiber } from "effect"
import type { Agent } from "node:http"
import type { Service } from "../process/serviceProcess.ts"
import { leaksOf } from "./leaks.ts"
import type { Market } from "./market.ts"
import { Stage } from "./stage.ts"
import { exchange, type Line, makeAgent, type OrderAnswer, orderAnswerOf, placeOrder } from "./wire.ts"

const buyersMany = 24
const visitorsMany = 2
/** What a buyer waits after an answer that was not its order: a crowd that did not would only measure how fast a no is. */
const breathMillis = 20
/** What it waits where nobody was there at all. */
const emptyHandedMillis = 100
/** Longer than any fault here keeps the answers from coming that a test waits for. */
const patienceSeconds = 60

export interface Attempt {
  readonly key: string
  readonly lines: ReadonlyArray<Line>
  /** Whom it was asked of. */
  readonly url: string
  readonly invokedAtMillis: number
  readonly answeredAtMillis: number | null
  readonly answer: OrderAnswer
}

type IsCounted = (attempt: Attempt) => boolean

export const isPlaced: IsCounted = ({ answer }) => answer._tag === "placed"
export const isTold =
  (...tags: ReadonlyArray<OrderAnswer["_tag"]>): IsCounted =>
  ({ answer }) =>
    tags.includes(answer._tag)

export interface Crowd {
  readonly market: Market
  /** Every order that was asked for, each time. */
  readonly attempts: ReadonlyArray<Attempt>
  /** What no answer may hold, of whatever request. */
  readonly leaks: ReadonlyArray<string>
  /** Waits for so many more such attempts, begun from now on. */
  readonly after: (count: number, isCounted: IsCounted) => Effect.Effect<void>
  /** Asks for an order under a key, over a kept socket, and writes the answer down. */
  readonly place: (key: string, lines: ReadonlyArray<Line>, url?: string) => Effect.Effect<OrderAnswer>
  /** Writes down what somebody else asked for. */
  readonly note: (attempt: Attempt) => void
  /** Lets it buy while this goes on, then lets each buyer finish. */
  readonly during: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export interface CrowdOptions {
  /** Where these buyers go; else to whichever service serves. */
  readonly doorOf?: (buyer: number) => Service
}

/** It leaves, with its sockets, at the end of the scope. */
export const gather = Effect.fnUntraced(function* (market: Market, options: CrowdOptions = {}) {
  const { people, service } = yield* Stage
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => makeAgent(buyersMany + visitorsMany)),
    (kept) => Effect.sync(() => kept.destroy()),
  )
  const attempts: Array<Attempt> = []
  const leaks: Array<string> = []
  const waiting = new Set<{
    left: number
    readonly sinceMillis: number
    readonly isCounted: IsCounted
    readonly come: Deferred.Deferred<void>
  }>()
  const doors = { areOpen: true }

  const note = (attempt: Attempt) => {
    attempts.push(attempt)
    for (const entry of waiting) {
      if (attempt.invokedAtMillis < entry.sinceMillis || !entry.isCounted(attempt)) continue
      entry.left -= 1
      if (entry.left > 0) continue
      waiting.delete(entry)
      Deferred.doneUnsafe(entry.come, Effect.void)
    }
  }

  const place = Effect.fnUntraced(function* (key: string, lines: ReadonlyArray<Line>, url = service().url) {
    const invokedAtMillis = performance.now()
    const received = yield* placeOrder(agent, url, { token: people.customer, key, lines })
    const answer = orderAnswerOf(received)
    const answeredAtMillis = received === null ? null : performance.now()
    if (received !== null) leaks.push(...leaksOf(received.body))
    note({ key, lines, url, invokedAtMillis, answeredAtMillis, answer })
    return answer
  })

  const buyer = Effect.fnUntraced(function* (index: number) {
    const isPatient = index % 8 < 4
    for (let turn = 0; doors.areOpen; turn++) {
      const key = `${market.name}-${index}-${turn}`
      const lines = market.wishOf(index, turn)
      const once = Effect.suspend(() => place(key, lines, options.doorOf?.(index).url)).pipe(
        Effect.tap((answer) => Effect.sleep(pauseMillisAfter(answer))),
      )
      yield* Effect.repeat(once, { while: (answer) => doors.areOpen && isPatient && mayTellMore(answer) })
    }
  })
  const visitor = visit(agent, market, () => doors.areOpen, leaks).pipe(Effect.provideService(Stage, yield* Stage))

  const after = Effect.fnUntraced(function* (count: number, isCounted: IsCounted) {
    const come = yield* Deferred.make<void>()
    const entry = { left: count, sinceMillis: performance.now(), isCounted, come }
    waiting.add(entry)
    yield* Deferred.await(come).pipe(
      Effect.timeoutOrElse({
        duration: `${patienceSeconds} seconds`,
        orElse: () =>
          Effect.die(new Error(`of ${count} more answers ${entry.left} never came: ${lastAnswers(attempts)}`)),
      }),
    )
  })

  const during = Effect.fnUntraced(function* <A, E, R>(work: Effect.Effect<A, E, R>) {
    const buying = yield* Effect.forkChild(
      Effect.all(
        [
          ...Array.from({ length: buyersMany }, (_, index) => buyer(index)),
          ...Array.from({ length: visitorsMany }, () => visitor),
        ],
        {
          concurrency: "unbounded",
          discard: true,
        },
      ),
    )
    const result = yield* work
    doors.areOpen = false
    yield* Fiber.join(buying)
    doors.areOpen = true
    return result
  })
  return { market, attempts, leaks, after, place, note, during } satisfies Crowd
})

const pauseMillisAfter = (answer: OrderAnswer): number =>
  answer._tag === "placed" ? 0 : answer._tag === "lost" ? emptyHandedMillis : breathMillis

/** Whether asking again with the same key makes sense. */
const mayTellMore = (answer: OrderAnswer): boolean =>
  answer._tag === "busy" || answer._tag === "unknown" || answer._tag === "lost"

const lastAnswers = (attempts: ReadonlyArray<Attempt>): string =>
  JSON.stringify(attempts.slice(-5).map(({ answer }) => answer))

/** Looks around: no answer to anything may say more than it should, nor be anybody's mistake but the fault's. */
const visit = (agent: Agent, market: Market, isOpen: () => boolean, leaks: Array<string>) =>
  Effect.gen(function* () {
    const { people, service } = yield* Stage
    const paths = [
      `/v1/products/${market.products[0]?.productId ?? ""}`,
      "/v1/products?q=single&limit=5",
      "/v1/orders?limit=5",
      "/v1/me",
      "/v1/cart",
      "/health/ready",
    ]
    for (let turn = 0; isOpen(); turn++) {
      const path = paths[turn % paths.length] ?? ""
      const answer = yield* exchange(agent, service().url, { method: "GET", path, token: people.customer })
      if (answer !== null) {
        leaks.push(...leaksOf(answer.body))
        if (answer.status !== 200 && answer.status !== 503) leaks.push(`${path}: ${answer.status} ${answer.body}`)
      }
      yield* Effect.sleep(breathMillis)
    }
  })
