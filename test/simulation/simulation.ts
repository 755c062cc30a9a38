/**
 * One seed, from an empty database to the auditor's last word: a shop, a crowd and a weather drawn from the seed, the
 * real actors over the in-memory store, then calm, a last look at every key, and time for every hold to end.
 *
 * Must stay true: the seed alone decides; whatever goes wrong is reported with the seed that replays it.
 */
import { Clock, Effect, Exit, type Fiber, Logger, Scope } from "effect"
import { holdTtlMillis } from "../../src/domain/bounds.ts"
import type { Shard } from "../../src/domain/ids.ts"
import * as coordinator from "../../src/inventory/OrderCoordinator.ts"
import * as directory from "../../src/inventory/ShardDirectory.ts"
import * as inventory from "../../src/inventory/Inventory.ts"
import * as memory from "../../src/inventory/memory/MemoryShardStore.ts"
import * as ending from "../../src/inventory/OrderEnding.ts"
import * as writer from "../../src/inventory/ProductWriter.ts"
import * as sweeper from "../../src/inventory/sweeper.ts"
import type { Lease } from "../../src/inventory/store/ShardStore.ts"
import { Auditor } from "./auditor.ts"
import { Chance } from "./chance.ts"
import { firstCounts } from "./counts.ts"
import { editing, moving, type Place, regretting, usingCart, visiting } from "./crowd.ts"
import { History } from "./history.ts"
import { Ledger } from "./ledger.ts"
import { makeNode, type Modules, type Node } from "./node.ts"
import { SeededRuntime } from "./seededRuntime.ts"
import { drawShop, Ids, type Shop, type Visit } from "./shop.ts"
import { drawClimate, Weather } from "./weather.ts"

export const realModules: Modules = { inventory, coordinator, directory, ending, writer, sweeper, memory }

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

/** Alone, beside a process that takes shards over, beside one that forwards everything to the first, or killed. */
type Company = "none" | "rival" | "forwarder" | "restart"

interface World extends Place {
  readonly shop: Shop
  readonly weather: Weather
  readonly ledger: Ledger
  readonly nodes: Array<Node>
  readonly killed: Set<string>
  readonly company: Company
  /** Starts another node, whose scope ends with the run or when it is killed. */
  readonly start: (name: string, serving: Node["inventory"] | null) => Effect.Effect<Started, never, Scope.Scope>
}

interface Started {
  readonly node: Node
  readonly kill: Effect.Effect<void>
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
  const all: Array<Node> = []
  const customers = new Map<string, string>()
  const killed = new Set<string>()
  const first = firstCounts(database.tables)
  const auditor = new Auditor(database, {
    isPunctual,
    isCommitting: (name, shard) => {
      const node = all.find((one) => one.name === name)
      return !isPunctual || (node?.isCommitting(shard, runtime.currentTimeMillisUnsafe()) ?? false)
    },
    customerOf: (orderId) => customers.get(orderId) ?? "",
    first,
    killed,
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
  const ledger: Ledger = new Ledger(database, history, first, judged, () => auditor.onApplied(ledger))
  const company = swarm.pick<Company>(["none", "rival", "forwarder", "restart"])
  const settings = {
    shards: shop.shards,
    mailboxSize: swarm.pick([1, 8, 64, 64]),
    batchSizeMax: swarm.pick([1, 5, 64, 64]),
    lingerMillis: swarm.pick([0, 0, 0, 10]),
  }
  const start = Effect.fnUntraced(function* (name: string, serving: Node["inventory"] | null) {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    const records = { history, ledger, chance: new Chance(seed, 10 + all.length) }
    const making = makeNode(name, modules, { database, serving }, settings, records)
    const node = yield* Scope.provide(making, scope)
    all.push(node)
    nodes.push(node)
    return { node, kill: Scope.close(scope, Exit.void) }
  })
  const chance = new Chance(seed, 5)
  const place = { chance, database, history, auditor, ids, nodes, killed, judged, customers }
  const program = wholeRun({ ...place, shop, weather, ledger, company, killed, start }).pipe(
    Effect.scoped,
    Effect.provideService(Clock.Clock, runtime),
    Effect.provide(silence),
  )
  try {
    const exit = runtime.run(program, () => {
      if (violation !== null) throw violation
    })
    if (Exit.isFailure(exit)) violation ??= exit.cause
  } catch (error) {
    violation ??= error
  }
  return { seed, violation, digest: runtime.digest, steps: runtime.steps, seen: countAll(history, weather, killed) }
}

const silence = Logger.layer([])

const wholeRun = Effect.fnUntraced(function* (world: World): Effect.fn.Return<void, never, Scope.Scope> {
  const { auditor, chance, company, database, history, judged, ledger, nodes, shop, weather } = world
  const first = yield* world.start("first", null)
  const second = company === "rival" || company === "forwarder"
  if (second) yield* world.start("second", company === "forwarder" ? first.node.inventory : null)
  yield* takeOver(world, first.node)
  const isAlone = company === "none" || company === "forwarder"
  const drained = isAlone && chance.happens(0.25) ? chance.between(0, 1500) : null
  const deliverer = yield* Effect.forkScoped(Effect.forever(delivering(world)))
  const crowd: Array<Effect.Effect<void, never, Scope.Scope>> = [
    ...shop.visits.map((visit) => visiting(world, visit)),
    ...shop.deliveries.map((delivery) => moving(world, delivery)),
    ...shop.regrets.map((regret) => regretting(world, regret)),
    ...shop.edits.map((edit) => editing(world, edit)),
    ...shop.tabs.map((tab) => usingCart(world, tab)),
    ...(company === "rival" ? [takingOver(world)] : []),
    ...(company === "restart" ? [restarting(world, first)] : []),
  ]
  const fibers: Array<Fiber.Fiber<void>> = []
  for (const doing of crowd) fibers.push(yield* Effect.forkScoped(doing))
  if (drained !== null) {
    yield* Effect.sleep(drained)
    yield* first.node.inventory.drain
  }
  yield* Effect.sleep(chance.between(0, 4_000))
  weather.isOver = true
  for (const fiber of fibers) yield* Effect.asVoid(fiberExit(fiber))
  deliverer.interruptUnsafe()
  while (yield* database.deliverLate);

  if (drained === null) {
    if (company === "rival") yield* takeOver(world, nodes.at(-1) ?? first.node)
    for (const visit of shop.visits) yield* visiting(world, calmly(visit))
    yield* Effect.sleep(holdTtlMillis + 3_000)
    yield* Effect.forEach(nodes, (node) => node.inventory.drain, { discard: true })
    const nowMillis = yield* Clock.currentTimeMillis
    judged(() => auditor.atEnd(history, ledger, nowMillis))
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

/** Kills the node that serves, whatever it is doing, and starts another after a while. */
const restarting = Effect.fnUntraced(function* (world: World, { kill, node }: Started) {
  yield* Effect.sleep(world.chance.pick([world.chance.between(0, 60), world.chance.between(0, 2_000)]))
  world.killed.add(node.name)
  world.nodes.splice(0, 1)
  node.inventory.revoke()
  for (const caller of node.callers) caller.interruptUnsafe()
  yield* kill
  yield* Effect.sleep(world.chance.pick([0, 20, 700]))
  const next = yield* world.start("second", null)
  yield* takeOver(world, next.node)
})

const takingOver = Effect.fnUntraced(function* (world: World) {
  for (let round = 0; round < 3; round++) {
    yield* Effect.sleep(world.chance.between(0, 900))
    yield* takeOver(world, world.chance.pick(world.nodes))
  }
})

const countAll = (
  { attempts, cancellations, submissions }: History,
  { faults }: Weather,
  killed: ReadonlySet<string>,
): ReadonlyMap<string, number> => {
  const seen = new Map([...faults, ["killed", killed.size]])
  const count = (name: string): void => void seen.set(name, (seen.get(name) ?? 0) + 1)
  for (const { answer, request } of attempts) {
    const refusal = answer?._tag === "Refused" ? ` ${answer.refusal.code}` : ""
    count(`order ${answer?._tag}${refusal}`)
    if (request.lines.length > 1) count("order of several lines")
    if (request.cartVersion !== null) count(`checkout ${answer?._tag}`)
  }
  for (const { answer } of cancellations) count(`cancellation ${answer?._tag}`)
  for (const { answer, command } of submissions) {
    const refusal = answer?._tag === "Refused" ? ` ${answer.refusal.code}` : ""
    count(`${command._tag} ${answer?._tag}${refusal}`)
  }
  return seen
}
