/**
 * One scenario from an empty database to the auditor's last word: real processes of the service over the in-memory
 * database, a crowd that calls them, what befalls them, then calm, a last look at every key, and time for every hold
 * to end.
 *
 * Must stay true: seed and schedule alone decide; whatever goes wrong is reported with what replays it.
 */
import { Effect, Exit, type Fiber, Latch, Logger, Scope } from "effect"
import { holdTtlMillis, sweepIntervalMillis } from "../../src/domain/bounds.ts"
import type { Shard } from "../../src/domain/ids.ts"
import * as carts from "../../src/carts/Carts.ts"
import * as coordinator from "../../src/inventory/OrderCoordinator.ts"
import * as directory from "../../src/inventory/ShardDirectory.ts"
import * as inventory from "../../src/inventory/Inventory.ts"
import * as memory from "../../src/inventory/memory/MemoryShardStore.ts"
import type { OrderRow, PaymentRow } from "../../src/inventory/memory/memoryRows.ts"
import * as ending from "../../src/inventory/OrderEnding.ts"
import * as writer from "../../src/inventory/ProductWriter.ts"
import * as sweeper from "../../src/inventory/sweeper.ts"
import type { Lease } from "../../src/inventory/store/ShardStore.ts"
import * as reads from "../../src/orders/OrderReads.ts"
import * as orders from "../../src/orders/Orders.ts"
import * as shipments from "../../src/orders/Shipments.ts"
import * as waitingListReads from "../../src/orders/WaitingListReads.ts"
import * as waitingLists from "../../src/orders/WaitingLists.ts"
import { Auditor } from "./audit/auditor.ts"
import { Chance } from "./machine/chance.ts"
import { countAll } from "./coverage.ts"
import { firstCounts } from "./audit/counts.ts"
import { paying, refunding, sending } from "./crowd/paying.ts"
import { chasing, hunting, refreshing } from "./crowd/hunting.ts"
import { waiting } from "./crowd/waitingForUnits.ts"
import { waitersWhoFit } from "./audit/waiting.ts"
import { Provider } from "./crowd/provider.ts"
import { editing, knownBy, moving, type Place, regretting, usingCart, visiting } from "./crowd/crowd.ts"
import { History } from "./audit/history.ts"
import { Ledger } from "./audit/ledger.ts"
import { remoteInventory } from "./service/network.ts"
import { makeNode, type Modules, type Node } from "./service/node.ts"
import { drawScenario, type Incident, type Scenario, startMillis } from "./scenario.ts"
import { SeededRuntime } from "./machine/seededRuntime.ts"
import { movementIdOf, type Visit } from "./crowd/shop.ts"
import { Story } from "./story.ts"
import { Weather } from "./weather.ts"

export const realModules: Modules = {
  inventory,
  coordinator,
  directory,
  ending,
  writer,
  sweeper,
  memory,
  orders,
  reads,
  shipments,
  waitingLists,
  waitingListReads,
  carts,
}

/** A run of some seconds of traffic and half a minute of holds; past this nobody will ever be answered. */
const millisMax = 300_000
const stepsMax = 400_000
/** What callers may take until they have noted an answer, where the machine stalls in between. */
const callersMillis = 2_000
/** More lives than one run gives its processes. */
const names = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"] as const

export interface Report {
  readonly seed: number
  /** What the auditor or the runtime found, null where the promise held. */
  readonly violation: unknown
  readonly digest: number
  readonly steps: number
  /** How often each answer, each fault and each way of an order was seen. */
  readonly seen: ReadonlyMap<string, number>
}

interface World extends Place {
  readonly scenario: Scenario
  readonly weather: Weather
  readonly ledger: Ledger
  readonly nodes: Array<Node>
  /** Every node there ever was. */
  readonly all: Array<Node>
  readonly modules: Modules
  readonly seen: Map<string, number>
}

export const simulate = (seed: number, modules: Modules = realModules): Report => run(drawScenario(seed), modules)

export const run = (scenario: Scenario, modules: Modules = realModules, story = new Story(false)): Report => {
  const { climate, incidents, schedule, seed, shop, stallChance, yieldChance } = scenario
  const chance = new Chance(seed, 2 + 100 * schedule)
  const runtime = new SeededRuntime({ chance, startMillis, yieldChance, stallChance, stepsMax, millisMax })
  const weather = new Weather(new Chance(seed, 4), climate, story)
  const database = new modules.memory.MemoryDatabase(shop.shards)
  for (const [at, product] of shop.products.entries()) database.createProduct(product, movementIdOf(at), startMillis)
  weather.rule(database)
  const all: Array<Node> = []
  let violation: unknown = null
  const judged = (check: () => void): void => {
    try {
      check()
    } catch (error) {
      violation ??= error
    }
  }
  const isPunctual = stallChance === 0 && incidents.every(({ what }) => what !== "paused")
  const first = firstCounts(database.tables)
  const auditor = new Auditor(database, {
    isPunctual,
    isCommitting: (name, shard) => {
      const node = all.find((one) => one.name === name)
      return !isPunctual || (node?.isCommitting(shard, runtime.nowMillis) ?? false)
    },
    first,
    isKilled: (name) => all.some((node) => node.name === name && node.process.isKilled),
    nowMillis: () => runtime.nowMillis,
  })
  const history: History = new History((submission) => {
    story.decided(submission)
    judged(() => auditor.onAnswer(submission, ledger))
  })
  const ledger: Ledger = new Ledger(database, history, first, judged, () => {
    story.applied(ledger)
    auditor.onApplied(ledger)
  })
  story.begins(scenario, () => runtime.nowMillis)
  const seen = new Map<string, number>()
  const place = {
    chance: new Chance(seed, 5),
    runtime,
    database,
    history,
    auditor,
    judged,
    story,
    nodes: [],
    balanced: null,
    reservationTtlMillis: scenario.lives.reservationTtlMaxMillis ?? 60_000,
    provider: scenario.lives.payers.length > 0 ? new Provider(runtime.world, judged) : null,
  }
  const world: World = { ...place, scenario, weather, ledger, all, modules, seen }
  try {
    const exit = runtime.run(Effect.provide(Effect.scoped(wholeRun(world)), silence), () => {
      if (violation !== null) throw violation
    })
    if (Exit.isFailure(exit)) violation ??= exit.cause
  } catch (error) {
    violation ??= error
  }
  return { seed, violation, digest: runtime.digest, steps: runtime.steps, seen: countAll(world) }
}

const silence = Logger.layer([])

const wholeRun = Effect.fnUntraced(function* (world: World): Effect.fn.Return<void, never, Scope.Scope> {
  const { auditor, database, history, judged, ledger, nodes, runtime, scenario, story, weather } = world
  const { company, drainedAfterMillis, shop } = scenario
  const first = yield* start(world)
  if (company === "rival" || company === "forwarder") yield* start(world)
  yield* takeOver(world, first)
  const deliverer = yield* Effect.forkScoped(Effect.forever(delivering(world)))
  const crowd: Array<Effect.Effect<void, never, Scope.Scope>> = [
    ...shop.visits.map((visit) => visiting(world, visit)),
    ...shop.deliveries.map((delivery) => moving(world, delivery)),
    ...shop.regrets.map((regret) => regretting(world, regret)),
    ...shop.edits.map((edit) => editing(world, edit)),
    ...shop.tabs.map((tab) => usingCart(world, tab)),
    ...scenario.lives.payers.map((payer) => paying(world, payer)),
    ...scenario.lives.refunders.map((refunder) => refunding(world, refunder)),
    ...scenario.lives.senders.map((sender) => sending(world, sender)),
    ...scenario.lives.waiters.map((waiter) => waiting(world, waiter)),
    ...scenario.lives.hunters.map((hunter) => hunting(world, hunter)),
    ...scenario.lives.chasers.map((chaser) => chasing(world, chaser)),
    ...scenario.lives.listEdits.map((edit) => editing(world, edit)),
    ...scenario.lives.refreshings.map((refresh) => refreshing(world, refresh)),
    ...scenario.incidents.map((incident) => befalling(world, incident)),
  ]
  const fibers: Array<Fiber.Fiber<void>> = []
  for (const doing of crowd) fibers.push(yield* Effect.forkScoped(doing))
  if (drainedAfterMillis !== null) {
    yield* Effect.sleep(drainedAfterMillis)
    world.seen.set("drained", 1)
    yield* drain(world, first)
  }
  yield* Effect.sleep(scenario.stormyMillis)
  weather.isOver = true
  story.tell("The weather is calm from here on.")
  for (const { process } of nodes) process.resume()
  runtime.actNow()
  for (const fiber of fibers) yield* ended(fiber)
  deliverer.interruptUnsafe()
  while (yield* database.deliverLate);
  if (drainedAfterMillis !== null) return

  if (company === "rival") yield* takeOver(world, nodes.at(-1) ?? (yield* start(world)))
  const calmMillis = runtime.nowMillis
  // Some come more than once with the same wish; one last look at each key is enough.
  const wishes = new Map(shop.visits.map((visit) => [visit.wish, visit]))
  for (const visit of wishes.values()) yield* visiting(world, calmly(visit))
  if (hasRoom(scenario)) judged(() => auditor.whenCalm(calmMillis))
  yield* settling(world)
  const sweptMillis = runtime.nowMillis
  yield* Effect.forEach(nodes, (node) => drain(world, node), { discard: true })
  // Everybody has an answer; those who wait for it have to come round to it.
  yield* Effect.sleep(callersMillis)
  judged(() => auditor.atEnd(history, ledger, sweptMillis))
  judged(() => world.provider?.assertBooks(database.tables))
})

/** Until everything has ended whose time is or soon will be over, or long enough for any hold to end; then a bit more. */
const settling = Effect.fnUntraced(function* ({ database, nodes, runtime, scenario }: World) {
  const { tables } = database
  const isOver = ({ expiresAtMillis, status }: OrderRow) =>
    status === "reserved" && expiresAtMillis <= runtime.nowMillis + 10 * sweepIntervalMillis
  const shards = Array.from({ length: scenario.shop.shards }, (_, shard) => shard)
  /** Somebody's command may still be on its way to the database, though its caller has given up. */
  const isCommitting = () => nodes.some((node) => shards.some((shard) => node.isCommitting(shard, runtime.nowMillis)))
  const latestMillis = runtime.nowMillis + holdTtlMillis + 3_000
  const isOpen = ({ status }: PaymentRow) => status === "processing" || status === "refunding"
  const isPending = () =>
    tables.holds.all().length + tables.pendingReturns.all().length > 0 ||
    tables.orders.all().some(isOver) ||
    tables.payments.all().some(isOpen) ||
    waitersWhoFit(tables, runtime.nowMillis).length > 0
  while (runtime.nowMillis < latestMillis && (isPending() || isCommitting())) yield* Effect.sleep(sweepIntervalMillis)
  yield* Effect.sleep(3 * sweepIntervalMillis)
})

const ended = <A>(fiber: Fiber.Fiber<A>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    fiber.addObserver((exit) => resume(Exit.isFailure(exit) ? Effect.failCause(exit.cause) : Effect.void))
  })

const drain = ({ runtime, story }: World, node: Node): Effect.Effect<void> =>
  Effect.suspend(() => {
    story.tell(`${node.name} is told to stop`)
    return node.process.call(runtime.world, node.inventory.drain)
  }).pipe(Effect.ignore)

/** Starts the next process of the service, which serves nothing yet. */
const start = Effect.fnUntraced(function* (world: World): Effect.fn.Return<Node, never, Scope.Scope> {
  const { all, auditor, database, history, judged, ledger, modules, nodes, provider, runtime, scenario, weather } =
    world
  const name = names[all.length] ?? "another"
  const process = runtime.process(name)
  const isForwarder = scenario.company === "forwarder" && all.length === 1
  const serving = () => nodes.find((node) => node !== all[1])
  const chance = new Chance(scenario.seed, 10 + all.length)
  const scope = yield* Scope.make()
  const surroundings = {
    process,
    database,
    chance,
    provider,
    history,
    ledger,
    remote: isForwarder ? remoteInventory(process, weather, serving) : null,
    watched: (service: Node["coordinator"]) =>
      history.recordedCoordinator(
        name,
        service,
        (caller, key) => knownBy(database, caller, key),
        (attempt) => judged(() => auditor.onAttempt(attempt, history)),
      ),
  }
  const making = makeNode(modules, scenario.settings, surroundings)
  const node = yield* process.within(Scope.provide(making, scope))
  all.push(node)
  // Where one forwards, the one that serves stands before it.
  if (scenario.company === "forwarder" && !isForwarder) nodes.unshift(node)
  else nodes.push(node)
  return node
})

/** Whether a release finds room in its mailbox, and its caller the time to wait for it. */
const hasRoom = ({ settings, stallChance }: Scenario): boolean => settings.mailboxSize > 1 && stallChance === 0

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

const takeOver = Effect.fnUntraced(function* (world: World, node: Node) {
  const { database, scenario, story } = world
  if (scenario.isBalanced) world.balanced = node
  const leases = new Map<Shard, Lease>()
  for (let shard = 0; shard < scenario.shop.shards; shard++) leases.set(shard, database.acquire(shard, node.name))
  story.tell(`${node.name} takes the shards over`)
  yield* Effect.yieldNow
  node.process.deliver(() => node.inventory.grant(leases))
})

/** Waits for its moment and its step, and befalls whoever is there then. */
const befalling = Effect.fnUntraced(function* (
  world: World,
  { atMillis, millis, nodeAt, stepsLater, what }: Incident,
): Effect.fn.Return<void, never, Scope.Scope> {
  const { nodes, runtime, scenario, seen, story, weather } = world
  const happened = Latch.makeUnsafe(false)
  let struck: Node | undefined
  yield* Effect.sleep(atMillis)
  runtime.atStep(runtime.steps + stepsLater, () => {
    struck = weather.isOver ? undefined : (nodes[nodeAt] ?? nodes[0])
    runtime.world.deliver(() => happened.openUnsafe())
    if (struck === undefined || what === "takeover") return
    seen.set(what, (seen.get(what) ?? 0) + 1)
    story.tell(`${struck.name} is ${what}`)
    if (what === "paused") return struck.process.pause()
    struck.process.kill()
    nodes.splice(nodes.indexOf(struck), 1)
  })
  yield* happened.await
  const node = struck
  if (node === undefined) return
  if (what === "takeover") {
    seen.set(what, (seen.get(what) ?? 0) + 1)
    return yield* takeOver(world, node)
  }
  yield* Effect.sleep(millis)
  if (what === "paused") {
    story.tell(`${node.name} goes on`)
    return node.process.resume()
  }
  const isForwarder = scenario.company === "forwarder" && node === world.all[1]
  if (isForwarder) return
  const successor = scenario.company === "rival" ? nodes[0] : undefined
  yield* takeOver(world, successor ?? (yield* start(world)))
})
