/** What is common to everything that people do about orders and offers: it is noted, asked, and what was heard is told. */
import { Effect } from "effect"
import type { OrderRow } from "../../../src/inventory/memory/memoryRows.ts"
import type { CommandError } from "../../../src/inventory/shard/mailboxEntry.ts"
import type { ConnectionLost } from "../machine/simulatedProcess.ts"
import type { Deed } from "../audit/history.ts"
import type { Node } from "../service/node.ts"
import { asking, nodeFor, type Place } from "./crowd.ts"

export const deadlineMillis = 1_500

const triesAgain: ReadonlySet<string> = new Set(["Busy", "OutcomeUnknown", "HungUp", "ConnectionLost"])

/** Whether it is worth another try. */
export const isOpen = ({ _tag }: { readonly _tag: string }): boolean => triesAgain.has(_tag)

type Heard<A> = A | CommandError | ConnectionLost | { readonly _tag: "HungUp" }

/** What a record of a deed begins as. */
export interface Begun {
  readonly node: string
  readonly invokedAtMillis: number
  answeredAtMillis: number
  answer: null
}

/** One try through this node: a record of it is kept while it is waited for, and has its answer when that is heard. */
export const trying = Effect.fnUntraced(function* <
  A extends { readonly _tag: string },
  Kept extends { answeredAtMillis: number; answer: unknown },
>(
  place: Place,
  node: Node,
  what: string,
  deed: {
    readonly records: Array<Kept>
    readonly recordWith: (begun: Begun) => Kept
    readonly question: Effect.Effect<A, CommandError>
  },
) {
  const { runtime, story } = place
  const times = { invokedAtMillis: runtime.nowMillis, answeredAtMillis: Infinity }
  const record = deed.recordWith({ node: node.name, ...times, answer: null })
  deed.records.push(record)
  story.tell(`${what}, through ${node.name}`)
  const answer: Heard<A> = yield* asking(place, node, null, deed.question)
  record.answer = answer
  record.answeredAtMillis = runtime.nowMillis
  story.heardOf(what, answer)
  return { record, answer }
})

/** A deed of which only the answer is kept. */
export const doing = Effect.fnUntraced(function* <A extends { readonly _tag: string }>(
  place: Place,
  node: Node,
  what: string,
  who: string,
  question: Effect.Effect<A, CommandError>,
) {
  const { deeds: records } = place.history
  const recordWith = (begun: Begun): Deed => ({ ...begun, what, who })
  const { answer } = yield* trying(place, node, `${who}: ${what}`, { records, recordWith, question })
  return answer
})

/** Tries until an answer is final or its patience with retries is over, each time through another node. */
export const persisting = Effect.fnUntraced(function* <A extends { readonly _tag: string }>(
  place: Place,
  {
    goesToSecond,
    pauses,
    retriesMax,
  }: {
    readonly goesToSecond: boolean
    readonly retriesMax: number
    readonly pauses: ReadonlyArray<number>
  },
  once: (node: Node, round: number) => Effect.Effect<A>,
) {
  for (let round = 0; round <= retriesMax; round++) {
    const node = nodeFor(place, goesToSecond === (round % 2 === 0))
    if (node !== undefined) {
      const answer = yield* once(node, round)
      if (!isOpen(answer)) return answer
    }
    yield* Effect.sleep(place.chance.pick(pauses))
  }
  return null
})

export const orderIn = (
  { chance, database: { tables } }: Place,
  statuses: ReadonlyArray<OrderRow["status"]> | null,
  isPreferred: (order: OrderRow) => boolean = () => false,
): OrderRow | null => {
  const all = tables.orders.all()
  const orders = statuses === null ? all : all.filter((order) => statuses.includes(order.status))
  const preferred = orders.filter(isPreferred)
  const from = preferred.length > 0 ? preferred : orders
  return from.length === 0 ? null : chance.pick(from)
}
