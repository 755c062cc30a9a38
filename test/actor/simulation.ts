/**
 * One seed, from an empty database to the auditor's last word: a shop, a crowd and a weather drawn from the seed, the
 * real actors over the in-memory store, then calm, a last look at every key, and time for every hold to end.
 *
 * Must stay true: the seed alone decides; whatever goes wrong is reported with the seed that replays it.
 */
import { Clock, Effect, Exit, type Fiber, Logger, type Scope } from "effect"
import { holdTtlMillis } from "../../src/domain/bounds.ts"
import type { Shard } from "../../src/domain/ids.ts"
import { isLive } from "../../src/domain/order.ts"
import * as coordinator from "../../src/inventory/OrderCoordinator.ts"
import * as directory from "../../src/inventory/ShardDirectory.ts"
import * as inventory from "../../src/inventory/Inventory.ts"
import * as memory from "../../src/inventory/MemoryShardStore.ts"
import type { Lease } from "../../src/inventory/ShardStore.ts"
import { Auditor } from "./auditor.ts"
import { Chance } from "./chance.ts"
import { answerOf, type Attempt, History } from "./history.ts"
import { Ledger } from "./ledger.ts"
import { makeNode, type Modules, type Node } from "./node.ts"
import { SeededRuntime } from "./seededRuntime.ts"
import { type Delivery, drawShop, Ids, type Shop, type Visit } from "./shop.ts"
import { drawClimate, Weather } from "./weather.ts"

export const realModules: Modules = { inventory, coordinator, directory, memory }

const startMillis = 1_000_000
/** A run of some seconds of traffic and half a minute of holds; past this nobody will ever be answered. */
const millisMax = 300_000
const stepsMax = 400_000

export interface Report {
  readonly seed: number
  /** What the auditor or the runtime found, null where the promise held. */
  readonly violation: unknown
  readonly digest: number
  readonly steps: number
  /** How often each answer and each fault was seen. */
  readonly seen: ReadonlyMap<string, number>
}

interface World {
  readonly chance: Chance
  readonly shop: Shop
  readonly weather: Weather
  readonly database: memory.MemoryDatabase
  readonly history: History
  readonly ledger: Ledger
  readonly auditor: Auditor
  readonly ids: Ids
  readonly nodes: ReadonlyArray<Node>
  readonly hasTakeovers: boolean
}

export const simulate = (seed: number, modules: Modules = realModules): Report => {
  const swarm = new Chance(seed, 1)
  const isPunctual = swarm.happens(0.6)
  const runtime = new SeededRuntime({
    chance: new Chance(seed, 2),
    startMillis,
    yieldChance: swarm.pick([0, 0.01, 0.1, 0.3]),
    stallChance: isPunctual ? 0 : swarm.pick([0.002, 0.02]),
    stepsMax,
    millisMax,
  })
  const shop = drawShop(new Chance(seed, 3), startMillis)
  const weather = new Weather(new Chance(seed, 4), drawClimate(swarm))
  const database = new modules.memory.MemoryDatabase(shop.shards)
  const ids = new Ids()
  for (const product of shop.products) database.createProduct(product, ids.movement(), startMillis)
  weather.rule(database)
  const nodes: Array<Node> = []
  const customers = new Map<string, string>()
  const auditor = new Auditor(database, {
    isPunctual,
    isCommitting: (name, shard) => {
      const node = nodes.find((one) => one.name === name)
      return !isPunctual || (node?.isCommitting(shard, runtime.currentTimeMillisUnsafe()) ?? false)
    },
    customerOf: (orderId) => customers.get(orderId) ?? "",
    stockedAtFirst: new Map(shop.products.map((product) => [product.productId, product.stocked])),
  })
  let violation: unknown = null
  const judged = (check: () => void): void => {
    try {
      check()
    } catch (error) {
      violation ??= error
    }
  }
  const history = new History((submission) => judged(() => auditor.onAnswer(submission, ledger)))
  const ledger: Ledger = new Ledger(database, history, judged, () => auditor.onApplied(ledger))
  /** Alone, beside a process that takes shards over, or beside one that forwards everything to the first. */
  const company = swarm.pick(["none", "none", "rival", "forwarder"] as const)
  const world = { shop, weather, database, history, ledger, auditor, ids, nodes, hasTakeovers: company === "rival" }
  const settings = {
    shards: shop.shards,
    mailboxSize: swarm.pick([1, 3, 8, 64]),
    batchSizeMax: swarm.pick([1, 2, 5, 64]),
    lingerMillis: swarm.pick([0, 0, 0, 10]),
  }
  const program = Effect.gen(function* () {
    for (const name of company === "none" ? ["first"] : ["first", "second"]) {
      const serving = company === "forwarder" ? (nodes[0]?.inventory ?? null) : null
      const records = { history, ledger, chance: new Chance(seed, 10 + nodes.length) }
      nodes.push(yield* makeNode(name, modules, { database, serving }, settings, records))
    }
    yield* wholeRun({ ...world, chance: new Chance(seed, 5) }, customers, judged)
  }).pipe(Effect.scoped, Effect.provideService(Clock.Clock, runtime), Effect.provide(silence))
  try {
    const exit = runtime.run(program, () => {
      if (violation !== null) throw violation
    })
    if (Exit.isFailure(exit)) violation ??= exit.cause
  } catch (error) {
    violation ??= error
  }
  return { seed, violation, digest: runtime.digest, steps: runtime.steps, seen: countAll(history, weather) }
}

const silence = Logger.layer([])

const wholeRun = Effect.fnUntraced(function* (
  world: World,
  customers: Map<string, string>,
  judged: (check: () => void) => void,
): Effect.fn.Return<void, never, Scope.Scope> {
  const { auditor, chance, database, history, ledger, nodes, shop, weather } = world
  const [first] = nodes
  if (first === undefined) return
  yield* takeOver(world, first)
  const drained = chance.happens(0.25) ? chance.between(0, 1500) : null
  const deliverer = yield* Effect.forkScoped(Effect.forever(delivering(world)))
  const crowd: Array<Fiber.Fiber<void>> = []
  for (const visit of shop.visits) crowd.push(yield* Effect.forkScoped(visiting(world, visit, customers, judged)))
  for (const delivery of shop.deliveries) crowd.push(yield* Effect.forkScoped(moving(world, delivery)))
  for (const atMillis of shop.cancellationsAtMillis) {
    crowd.push(yield* Effect.forkScoped(cancelling(world, atMillis, customers)))
  }
  if (world.hasTakeovers) crowd.push(yield* Effect.forkScoped(takingOver(world)))
  if (drained !== null && !world.hasTakeovers) {
    yield* Effect.sleep(drained)
    yield* first.inventory.drain
  }
  yield* Effect.sleep(chance.between(0, 4_000))
  weather.isOver = true
  for (const fiber of crowd) yield* Effect.asVoid(fiberExit(fiber))
  deliverer.interruptUnsafe()
  while (yield* database.deliverLate);

  if (drained === null || world.hasTakeovers) {
    if (world.hasTakeovers) yield* takeOver(world, nodes.at(-1) ?? first)
    for (const visit of shop.visits) yield* visiting(world, calmly(visit), customers, judged)
    yield* Effect.sleep(holdTtlMillis + 3_000)
    yield* Effect.forEach(nodes, (node) => node.inventory.drain, { discard: true })
    judged(() => auditor.atEnd(history, ledger))
  }
})

const fiberExit = <A>(fiber: Fiber.Fiber<A>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    fiber.addObserver((exit) => resume(Exit.isFailure(exit) ? Effect.failCause(exit.cause) : Effect.void))
  })

/** The same wish again, by somebody who waits. */
const calmly = (visit: Visit): Visit => ({
  ...visit,
  atMillis: 0,
  patienceMillis: null,
  deadlineMillis: 5_000,
  retriesMax: 0,
})

const nodeFor = ({ nodes }: World, wantsSecond: boolean): Node => {
  const node = (wantsSecond ? nodes[1] : undefined) ?? nodes[0]
  if (node === undefined) throw new Error("a run needs a node")
  return node
}

const visiting = Effect.fnUntraced(function* (
  world: World,
  { atMillis, deadlineMillis, goesToSecond, patienceMillis, retriesMax, wish }: Visit,
  customers: Map<string, string>,
  judged: (check: () => void) => void,
) {
  yield* Effect.sleep(atMillis)
  for (let round = 0; round <= retriesMax; round++) {
    const node = nodeFor(world, goesToSecond === (round % 2 === 0))
    const request = { ...wish, orderId: world.ids.order() }
    customers.set(request.orderId, wish.customer)
    const startedAtMillis = yield* Clock.currentTimeMillis
    const known = world.database.tables.orderKeys.get(`${wish.caller}/${wish.key}`)
    const knownBefore = known === undefined ? null : { orderId: known.orderId, fingerprint: known.fingerprint }
    const attempt: Attempt = { request, startedAtMillis, knownBefore, answer: null }
    world.history.attempts.push(attempt)
    const placing = yield* Effect.forkChild(
      node.coordinator.place(request, startedAtMillis + deadlineMillis).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            attempt.answer = answerOf(exit)
            judged(() => world.auditor.onAttempt(attempt))
          }),
        ),
      ),
    )
    if (patienceMillis !== null) {
      for (let breath = patienceMillis === 0 ? world.chance.below(30) : 0; breath > 0; breath--) yield* Effect.yieldNow
      yield* Effect.sleep(patienceMillis)
      placing.interruptUnsafe()
    }
    yield* ended(placing)
    // Given up before it began.
    attempt.answer ??= { _tag: "HungUp" }
    const tag: string | undefined = attempt.answer?._tag
    if (tag !== "Busy" && tag !== "OutcomeUnknown" && tag !== "HungUp") return
    yield* Effect.sleep(world.chance.pick([0, 1, 30, 400]))
  }
})

const ended = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    fiber.addObserver(() => resume(Effect.void))
  })

const moving = Effect.fnUntraced(function* (world: World, { atMillis, movement, retriesMax }: Delivery) {
  yield* Effect.sleep(atMillis)
  const shard = world.database.tables.products.get(movement.productId)?.shard ?? 0
  for (let round = 0; round <= retriesMax; round++) {
    const node = nodeFor(world, world.chance.happens(0.5))
    const command = { ...movement, _tag: "Restock", movementId: world.ids.movement() } as const
    const exit = yield* Effect.exit(node.inventory.submit(shard, command, (yield* Clock.currentTimeMillis) + 1_000))
    const answer = answerOf(exit)
    if (answer._tag !== "Busy" && answer._tag !== "OutcomeUnknown") return
    yield* Effect.sleep(world.chance.pick([0, 30, 400]))
  }
})

/** Ends some order as cancelling it will: in one transaction with the rows that give its units back. */
const cancelling = Effect.fnUntraced(function* (world: World, atMillis: number, customers: Map<string, string>) {
  yield* Effect.sleep(atMillis)
  const { chance, database, ids, ledger } = world
  const live = database.tables.orders.all().filter((order) => isLive(order.status))
  if (live.length === 0) return
  const { orderId } = chance.pick(live)
  const customer = customers.get(orderId) ?? ""
  const lines = database.tables.orderLines.all().filter((line) => line.orderId === orderId)
  const returns = lines.map(({ productId, quantity }) => {
    const shard = database.tables.products.get(productId)?.shard ?? 0
    return { returnId: ids.return(), shard, productId, orderId, customer, quantity }
  })
  for (const row of returns) ledger.returned.set(row.returnId, row)
  database.endOrder(orderId, "cancelled", returns)
})

/** Lets attempts that were silent reach the database, some of them long after their retry. */
const delivering = Effect.fnUntraced(function* ({ chance, database }: World) {
  yield* Effect.sleep(chance.between(5, 600))
  yield* database.deliverLate
})

const takeOver = Effect.fnUntraced(function* ({ database, shop }: World, node: Node) {
  const leases = new Map<Shard, Lease>()
  for (let shard = 0; shard < shop.shards; shard++) leases.set(shard, database.acquire(shard, node.name))
  yield* Effect.yieldNow
  node.inventory.grant(leases)
})

const takingOver = Effect.fnUntraced(function* (world: World) {
  for (let round = 0; round < 3; round++) {
    yield* Effect.sleep(world.chance.between(0, 900))
    yield* takeOver(world, world.chance.pick(world.nodes))
  }
})

const countAll = ({ attempts, submissions }: History, { faults }: Weather): ReadonlyMap<string, number> => {
  const seen = new Map(faults)
  const count = (name: string): void => void seen.set(name, (seen.get(name) ?? 0) + 1)
  for (const { answer, request } of attempts) {
    const refusal = answer?._tag === "Refused" ? ` ${answer.refusal.code}` : ""
    count(`order ${answer?._tag}${refusal}`)
    if (request.lines.length > 1) count("order of several lines")
  }
  for (const { answer, command } of submissions) {
    const refusal = answer?._tag === "Refused" ? ` ${answer.refusal.code}` : ""
    count(`${command._tag} ${answer?._tag}${refusal}`)
  }
  return seen
}
