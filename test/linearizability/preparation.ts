/**
 * A history laid out for the search: operations ranked by when they must be answered, one sequence of events, and the
 * groups within which operations are interchangeable. Must stay true: at equal times calls come before answers, since
 * only a strictly earlier answer orders two operations; and within a group the earlier rank is due no later.
 */
import type { Aside, StockHistory, StockOperation } from "./stockHistory.ts"

export interface PreparedOperation {
  readonly of: StockOperation | Aside
  readonly kind: "take" | "give" | "reading" | "set aside" | "back from aside"
  /** What it does to the count; 0 for a reading. */
  readonly delta: number
  /** What a reading names; -1 for all others. */
  readonly available: number
  readonly invokedAt: number
  readonly answeredAt: number
  readonly isOptional: boolean
  /** Its group; -1 for a reading. */
  readonly group: number
  /** The operation that becomes possible by this one, as an aside's units may come back; -1 for none. */
  readonly enables: number
}

/** Operations that differ in nothing but their intervals. */
export interface Group {
  readonly delta: number
  readonly isOptional: boolean
}

export interface Prepared {
  readonly firstStock: number
  /** By rank: by when they must be answered, then by when they were called. */
  readonly operations: ReadonlyArray<PreparedOperation>
  readonly groups: ReadonlyArray<Group>
  /** The groups from the one whose numbers a search should change last to the one it should change first. */
  readonly groupOrder: ReadonlyArray<number>
  /** `2 * rank` for a call, `2 * rank + 1` for the moment by which it must have happened or never will. */
  readonly events: Int32Array
  /** For each rank, the place of its answer among the events; beyond the last for those that have none. */
  readonly answerEvents: Int32Array
  /** The place of the last answer to a reading; -1 where there is none. */
  readonly lastReading: number
  /** Units given by operations called before an event. */
  readonly givenBefore: Float64Array
}

type Draft = Omit<PreparedOperation, "group" | "enables"> & { readonly groupName: string }

export const isCall = (event: number): boolean => event % 2 === 0

export const prepare = (history: StockHistory): Prepared => {
  const drafts = [...history.operations.map(draftOf), ...(history.asides ?? []).flatMap(draftsOfAside)]
  // An aside's two halves are neighbours in this order too: they differ in nothing it looks at, and sorting is stable.
  drafts.sort(
    (left, right) =>
      compare(left.answeredAt, right.answeredAt) ||
      Number(isSetAside(right)) - Number(isSetAside(left)) ||
      compare(left.invokedAt, right.invokedAt),
  )

  const groups: Array<Group> = []
  const groupNumbers = new Map<string, number>()
  const operations = drafts.map(({ groupName, ...draft }, rank): PreparedOperation => {
    const enables = draft.kind === "set aside" ? rank + 1 : -1
    if (draft.kind === "reading") return { ...draft, group: -1, enables }
    let group = groupNumbers.get(groupName)
    if (group === undefined) {
      group = groups.length
      groups.push({ delta: draft.delta, isOptional: draft.isOptional })
      groupNumbers.set(groupName, group)
    }
    return { ...draft, group, enables }
  })
  const events = eventsOf(operations)
  const answerEvents = new Int32Array(operations.length).fill(events.length)
  let lastReading = -1
  const givenBefore = new Float64Array(events.length + 1)
  for (const [place, event] of events.entries()) {
    const operation = operations[event >> 1]
    const given = isCall(event) && operation !== undefined ? Math.max(0, operation.delta) : 0
    givenBefore[place + 1] = (givenBefore[place] ?? 0) + given
    if (!isCall(event)) answerEvents[event >> 1] = place
    if (!isCall(event) && operation?.kind === "reading") lastReading = place
  }
  const groupOrder = [...groups.keys()].sort((left, right) => steadiness(groups[right]) - steadiness(groups[left]))
  const { firstStock } = history
  return { firstStock, operations, groups, groupOrder, events, answerEvents, lastReading, givenBefore }
}

/** Either half of an aside. */
const isSetAside = ({ kind }: Draft): boolean => kind === "set aside" || kind === "back from aside"

const draftOf = (of: StockOperation): Draft => {
  const { answeredAt, invokedAt, kind } = of
  if (!(invokedAt <= answeredAt)) throw new Error(`answered at ${answeredAt}, before it was invoked at ${invokedAt}`)
  if (of.kind === "reading") {
    const { available } = of
    return { of, kind, delta: 0, available, invokedAt, answeredAt, isOptional: false, groupName: "" }
  }
  const isOptional = of.isOptional ?? false
  const delta = of.kind === "take" ? -quantityOf(of) : quantityOf(of)
  const groupName = groupNameOf(delta, isOptional, answeredAt)
  return { of, kind, delta, available: -1, invokedAt, answeredAt, isOptional, groupName }
}

/**
 * Optional takes without an end are a group of their own, in which setting aside comes first: whatever can follow the
 * other take can follow it too, and the units may come back besides. Units coming back are like any that may be given.
 */
const groupNameOf = (delta: number, isOptional: boolean, answeredAt: number): string =>
  `${delta} ${isOptional} ${isOptional && delta < 0 && answeredAt === Infinity}`

const draftsOfAside = (of: Aside): ReadonlyArray<Draft> => {
  const quantity = quantityOf(of)
  const both = { of, available: -1, invokedAt: of.invokedAt, answeredAt: Infinity, isOptional: true }
  return [
    { ...both, kind: "set aside", delta: -quantity, groupName: groupNameOf(-quantity, true, Infinity) },
    { ...both, kind: "back from aside", delta: quantity, groupName: groupNameOf(quantity, true, Infinity) },
  ]
}

const quantityOf = ({ quantity }: { readonly quantity: number }): number => {
  if (!Number.isSafeInteger(quantity) || quantity < 1)
    throw new Error(`a quantity is a positive number, not ${quantity}`)
  return quantity
}

/** Calls and answers in one sequence. Optional operations without an end need no answer: they are never too late. */
const eventsOf = (operations: ReadonlyArray<PreparedOperation>): Int32Array => {
  const calls: Array<number> = []
  const answers: Array<number> = []
  for (const [rank, operation] of operations.entries()) {
    if (operation.kind !== "back from aside") calls.push(rank)
    if (!operation.isOptional || operation.answeredAt !== Infinity) answers.push(rank)
  }
  const calledAt = (rank: number | undefined) => operations[rank ?? -1]?.invokedAt ?? Infinity
  const answeredAt = (rank: number | undefined) => operations[rank ?? -1]?.answeredAt ?? Infinity
  calls.sort((left, right) => compare(calledAt(left), calledAt(right)))
  const events = new Int32Array(calls.length + answers.length)
  let call = 0
  for (let place = 0, answer = 0; place < events.length; place++) {
    const isNextCall = call < calls.length && calledAt(calls[call]) <= answeredAt(answers[answer])
    events[place] = isNextCall ? 2 * (calls[call++] ?? 0) : 2 * (answers[answer++] ?? 0) + 1
  }
  return events
}

/** Optional operations are supposed to have happened as seldom as possible, and small takes fill the gaps. */
const steadiness = (group: Group | undefined): number => {
  if (group === undefined) return 0
  return Math.abs(group.delta) + (group.isOptional ? 2e15 : 0) + (group.delta > 0 ? 1e15 : 0)
}

const compare = (left: number, right: number): number => (left < right ? -1 : left > right ? 1 : 0)
