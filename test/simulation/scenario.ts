/**
 * Everything that one seed draws before a run begins: shop, crowd, weather, company and what befalls the processes.
 * Each seed draws its own mix of rates and faults (swarm testing: Groce et al., "Swarm Testing", ISSTA 2012), since a
 * feature left out often makes room for what another one finds.
 *
 * Must stay true: each part can be left out by its name without the others changing, so that a failing run can be
 * made small and is still replayed from its seed.
 */
import type { InventorySettings } from "../../src/inventory/Inventory.ts"
import { Chance } from "./machine/chance.ts"
import { drawLives, hurried, type Lives } from "./crowd/lives.ts"
import { drawShop, type Shop } from "./crowd/shop.ts"
import { type Climate, drawClimate, faultKinds } from "./weather.ts"

/** Alone, beside a process that takes shards over, beside one that forwards everything to the first, or killed. */
type Company = "none" | "rival" | "forwarder" | "restart"

/** What befalls the node at this place of the list, so many steps after a moment of the run. */
export interface Incident {
  readonly what: "killed" | "paused" | "takeover"
  readonly atMillis: number
  readonly stepsLater: number
  readonly nodeAt: number
  /** How long it is paused, perhaps beyond the life of a hold, or until another one is there. */
  readonly millis: number
}

export interface Scenario {
  readonly seed: number
  /** Another number is another order of steps of the same scenario. */
  readonly schedule: number
  readonly shop: Shop
  readonly lives: Lives
  readonly climate: Climate
  readonly company: Company
  readonly incidents: ReadonlyArray<Incident>
  readonly settings: InventorySettings
  /** Whether clients are sent to whoever took the shards over last. */
  readonly isBalanced: boolean
  readonly yieldChance: number
  readonly stallChance: number
  /** When the node is told to stop; null where it goes on. */
  readonly drainedAfterMillis: number | null
  readonly stormyMillis: number
}

export const startMillis = 1_000_000

const drawIncident = (chance: Chance, what: Incident["what"]): Incident => ({
  what,
  atMillis: chance.pick([0, chance.between(0, 200), chance.between(0, 1_000), chance.between(0, 3_000)]),
  stepsLater: chance.pick([chance.between(1, 30), chance.between(1, 300)]),
  nodeAt: chance.below(2),
  millis: what === "paused" ? chance.pick([30, 700, 3_000, 9_000, 40_000]) : chance.pick([0, 20, 700]),
})

const drawIncidents = (chance: Chance, company: Company): ReadonlyArray<Incident> => {
  const some = (most: number, what: Incident["what"]) =>
    Array.from({ length: chance.between(0, most) }, () => drawIncident(chance, what))
  const pauses = chance.happens(0.2) ? some(2, "paused") : []
  switch (company) {
    case "none":
      return pauses
    case "rival":
      return [...pauses, ...some(4, "takeover"), ...(chance.happens(0.2) ? some(1, "killed") : [])]
    case "forwarder":
      return [...pauses, ...(chance.happens(0.4) ? some(2, "killed") : [])]
    case "restart":
      return [...pauses, drawIncident(chance, "killed"), ...some(2, "killed")]
  }
}

export const drawScenario = (seed: number, schedule = 0): Scenario => {
  const swarm = new Chance(seed, 1)
  const isPunctual = swarm.happens(0.6)
  const yieldChance = swarm.pick([0, 0.01, 0.1, 0.3])
  const stallChance = isPunctual ? 0 : swarm.pick([0.002, 0.02])
  const drawnShop = drawShop(new Chance(seed, 3), startMillis)
  const lives = drawLives(new Chance(seed, 7), drawnShop)
  const shop = hurried(drawnShop, lives.reservationTtlMaxMillis)
  const climate = drawClimate(swarm)
  const company = swarm.pick<Company>(["none", "rival", "forwarder", "forwarder", "restart"])
  const incidents = drawIncidents(new Chance(seed, 6), company)
  const isAlone = (company === "none" || company === "forwarder") && incidents.length === 0
  return {
    seed,
    schedule,
    shop,
    lives,
    climate,
    company,
    incidents,
    settings: {
      shards: shop.shards,
      mailboxSize: swarm.pick([1, 8, 64, 64]),
      batchSizeMax: swarm.pick([1, 5, 64, 64]),
      lingerMillis: swarm.pick([0, 0, 0, 10]),
      offerTtlMillis: lives.offerTtlMillis,
    },
    isBalanced: company === "rival" && swarm.happens(0.5),
    yieldChance,
    stallChance,
    drainedAfterMillis: isAlone && swarm.happens(0.25) ? swarm.between(0, 1_500) : null,
    stormyMillis: swarm.between(0, 4_000),
  }
}

const crowdKinds = ["visits", "deliveries", "regrets", "edits", "tabs"] as const
const lifeKinds = [
  "payers",
  "refunders",
  "senders",
  "waiters",
  "hunters",
  "chasers",
  "listEdits",
  "refreshings",
] as const

/** The names of what can be left out, the crowd first. */
export const partsOf = ({
  climate,
  drainedAfterMillis,
  incidents,
  lives,
  shop,
  stallChance,
  yieldChance,
}: Scenario) => [
  ...crowdKinds.flatMap((kind) => shop[kind].map((_, at) => `${kind}${at}`)),
  ...lifeKinds.flatMap((kind) => lives[kind].map((_, at) => `${kind}${at}`)),
  ...incidents.map((_, at) => `incident${at}`),
  ...faultKinds.filter((kind) => climate[kind] > 0),
  ...(climate.latencyMaxMillis > 0 ? ["latency"] : []),
  ...(stallChance > 0 ? ["stalls"] : []),
  ...(yieldChance > 0 ? ["yields"] : []),
  ...(drainedAfterMillis === null ? [] : ["drain"]),
]

/** The same scenario with nothing but these parts of it. */
export const onlyWith = (scenario: Scenario, parts: ReadonlySet<string>): Scenario => {
  const { climate, incidents, lives, shop } = scenario
  const kept = <A>(kind: string, all: ReadonlyArray<A>): ReadonlyArray<A> =>
    all.filter((_, at) => parts.has(`${kind}${at}`))
  const calmed = faultKinds.filter((kind) => !parts.has(kind)).map((kind) => [kind, 0] as const)
  return {
    ...scenario,
    shop: {
      ...shop,
      visits: kept("visits", shop.visits),
      deliveries: kept("deliveries", shop.deliveries),
      regrets: kept("regrets", shop.regrets),
      edits: kept("edits", shop.edits),
      tabs: kept("tabs", shop.tabs),
    },
    lives: {
      ...lives,
      payers: kept("payers", lives.payers),
      refunders: kept("refunders", lives.refunders),
      senders: kept("senders", lives.senders),
      waiters: kept("waiters", lives.waiters),
      hunters: kept("hunters", lives.hunters),
      chasers: kept("chasers", lives.chasers),
      listEdits: kept("listEdits", lives.listEdits),
      refreshings: kept("refreshings", lives.refreshings),
    },
    incidents: kept("incident", incidents),
    climate: {
      ...climate,
      ...Object.fromEntries(calmed),
      latencyMaxMillis: parts.has("latency") ? climate.latencyMaxMillis : 0,
    },
    stallChance: parts.has("stalls") ? scenario.stallChance : 0,
    yieldChance: parts.has("yields") ? scenario.yieldChance : 0,
    drainedAfterMillis: parts.has("drain") ? scenario.drainedAfterMillis : null,
  }
}
