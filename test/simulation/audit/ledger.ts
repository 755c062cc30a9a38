/**
 * What every commit really did, seen from the tables: each batch that was applied, command by command in the order of
 * the mailbox, and what each moved. It compares rows before and after, and believes neither planner nor statement.
 *
 * Must stay true: what the steps of a batch move is what its rows moved, and each sale found the price, the limit and
 * the stock that those ahead of it had left; otherwise `judged` is told.
 */
import assert from "node:assert/strict"
import type { AmendmentWrite, BatchWrite } from "../../../src/domain/batch.ts"
import { type Command, type PricedLine, type Release, type Reserve, unitsName } from "../../../src/domain/commands.ts"
import type { ProductId, Shard } from "../../../src/domain/ids.ts"
import type { MemoryDatabase } from "../../../src/inventory/memory/MemoryShardStore.ts"
import { type BatchEvent, type CartRow, customerOf, type HoldRow } from "../../../src/inventory/memory/memoryRows.ts"
import { holdKey } from "../../../src/inventory/memory/memoryTables.ts"
import { add, factCount, factsOf, stockCount, unitsCount } from "./counts.ts"
import type { History, Submission } from "./history.ts"
import { Changes, changesOfOrders, followLives, type LivesBefore, type LivesCommit } from "./lives.ts"
import { assertEachOnce } from "./writes.ts"
import { changesOfPlaces, followWaiting, type Own } from "./waiting.ts"

export interface Step {
  readonly submission: Submission
  readonly moved: ReadonlyMap<string, number>
  /** The lines of this shard that it sold or set aside, and for whom. */
  readonly taken: { readonly customer: string; readonly lines: ReadonlyArray<PricedLine> } | null
  /**
   * Whether the shard did it of its own accord, and where: ahead of all that was asked for in its batch, or, where
   * somebody had asked for it, too, perhaps there.
   */
  readonly own: "first" | "somewhere" | null
}

export interface AppliedBatch {
  readonly shard: Shard
  readonly batch: number
  readonly epoch: number
  readonly atMillis: number
  readonly steps: ReadonlyArray<Step>
  /** Whether the commit found what the plan did not know: a key, a hold, a cart or a version that was not as expected. */
  readonly isSurprise: boolean
}

export interface HeldUnits {
  readonly atMillis: number
  readonly units: ReadonlyMap<ProductId, number>
  /** What the batch of this moment held. */
  readonly taken: ReadonlyMap<ProductId, number>
}

interface Before extends LivesBefore {
  readonly carts: ReadonlyMap<string, CartRow>
  readonly movements: ReadonlySet<string>
  readonly leases: ReadonlyArray<{ readonly epoch: number; readonly batch: number }>
}

/** A batch that was written, and the products of which it sold or held units. */
interface Batch {
  readonly write: BatchWrite
  readonly before: Before
  readonly atMillis: number
  readonly takes: ReadonlySet<ProductId>
}

export class Ledger {
  readonly batches: Array<AppliedBatch> = []
  /** The content that each batch number was sent with; a number has one content for ever. */
  readonly sent = new Map<string, BatchWrite>()
  readonly effective = new Set<Submission>()
  /** The version that each edit left its product at. */
  readonly versions = new Map<Submission, number>()
  /** How often each step from one status to the next was seen. */
  readonly went = new Map<string, number>()
  /** Every offer that was made, and how it ended. */
  readonly offers = new Map<string, { readonly expiresAtMillis: number; end: string | null }>()
  /** What was under holds, by product, from each moment on at which it changed. */
  readonly held: Array<HeldUnits> = []
  readonly #values: Map<string, number>
  readonly #soldCarts = new Set<string>()
  readonly #database: MemoryDatabase
  readonly #history: History

  constructor(
    database: MemoryDatabase,
    history: History,
    first: ReadonlyMap<string, number>,
    judged: (check: () => void) => void,
    onApplied: () => void,
  ) {
    this.#database = database
    this.#history = history
    this.#values = new Map(first)
    const { tables } = database
    const transact = tables.transact.bind(tables)
    tables.transact = <A>(change: () => A) => {
      const before = this.#look()
      const result = transact(change)
      judged(() => {
        for (let shard = 0; shard < database.shards; shard++) this.#compare(shard, before)
        onApplied()
      })
      return result
    }
  }

  noteSent(write: BatchWrite): void {
    this.sent.set(numberName(write), write)
  }

  #leases(): Before["leases"] {
    return Array.from({ length: this.#database.shards }, (_, shard) => {
      const { batch = 0, epoch = 0 } = this.#database.tables.leases.get(`${shard}`) ?? {}
      return { batch, epoch }
    })
  }

  #look(): Before {
    const { tables } = this.#database
    return {
      holds: new Map(tables.holds.all().map((row) => [holdKey(row.shard, row, row.productId), row])),
      returns: new Map(tables.pendingReturns.all().map((row) => [row.returnId, row])),
      orders: new Map(tables.orders.all().map((row) => [row.orderId, row])),
      carts: new Map(tables.carts.all().map((row) => [row.caller, row])),
      products: new Map(tables.products.all().map((row) => [row.productId, row])),
      movements: new Set(tables.movements.all().map((row) => row.movementId)),
      stock: new Map(tables.stock.all().map((row) => [row.productId, row.available])),
      payments: new Map(tables.payments.all().map((row) => [row.paymentId, row])),
      shipments: new Map(tables.shipments.all().map((row) => [row.shipmentId, row])),
      waitingList: new Map(tables.waitingList.all().map((row) => [unitsName(row.productId, row.accountId), row])),
      leases: this.#leases(),
    }
  }

  #compare(shard: Shard, before: Before): void {
    const { tables } = this.#database
    const lease = this.#leases()[shard]
    const earlier = before.leases[shard]
    if (lease === undefined || earlier === undefined) return
    assert.ok(lease.epoch >= earlier.epoch, `the epoch of shard ${shard} fell`)
    if (lease.batch === earlier.batch) return
    assert.strictEqual(lease.batch, earlier.batch + 1, `a batch number of shard ${shard} was left out`)
    const row = tables.batches.get(`${shard}/${lease.batch}`) ?? assert.fail("a batch without its row in the log")
    assert.strictEqual(row.epoch, lease.epoch, `batch ${row.batch} of shard ${shard} was written under an old epoch`)
    if (row.voided) return
    const write = this.sent.get(numberName(row)) ?? assert.fail("a batch was applied that nobody sent")
    const applied = this.#stepsOf(write, before, row.committedAtMillis)
    const moved = new Map<string, number>()
    for (const step of applied.steps) for (const [name, by] of step.moved) add(moved, name, by)
    for (const { available, productId } of tables.stock.all()) {
      const by = available - (before.stock.get(productId) ?? 0)
      assert.strictEqual(by, moved.get(stockCount(productId)) ?? 0, `batch ${row.batch} moved other stock than it says`)
    }
    for (const step of applied.steps) this.#follow(step, row.committedAtMillis)
    const events = row.events.map(nameOfEvent).toSorted()
    const expected = [
      ...applied.steps.flatMap(({ submission }) => this.#eventsOf(submission)),
      ...applied.events,
    ].toSorted()
    assert.deepStrictEqual(events, expected, `batch ${row.batch} tells of other events than its own`)
    for (const product of tables.products.all()) {
      for (const [name, value] of factsOf(product)) {
        assert.strictEqual(value, this.#values.get(name), `batch ${row.batch} made other edits than it says: ${name}`)
      }
    }
    this.#noteHeld(before, applied.steps, row.committedAtMillis)
    const { isSurprise, steps } = applied
    this.batches.push({ shard, batch: row.batch, epoch: row.epoch, atMillis: row.committedAtMillis, steps, isSurprise })
  }

  /** What the log has to tell of products that a command moved or edited. */
  #eventsOf(submission: Submission): ReadonlyArray<string> {
    const { command } = submission
    switch (command._tag) {
      case "Restock":
        return [`stock.moved ${command.movementId}`]
      case "Amend":
        return [`product.amended ${command.productId} ${this.versions.get(submission)}`]
      default:
        return []
    }
  }

  /** Units under holds before a batch releases any and as it leaves them, and what it held itself. */
  #noteHeld(before: Before, steps: ReadonlyArray<Step>, atMillis: number): void {
    const least = addUp([...before.holds.values()])
    const taken = new Map<ProductId, number>()
    for (const { moved, submission, taken: lines } of steps) {
      const { command } = submission
      const isHold = command._tag === "Hold" || command._tag === "Offer"
      if (isHold) for (const line of lines?.lines ?? []) addTo(taken, line.productId, line.quantity)
      if (command._tag !== "Release") continue
      for (const productId of command.productIds) addTo(least, productId, -(moved.get(stockCount(productId)) ?? 0))
    }
    this.held.push(
      { atMillis, units: least, taken },
      { atMillis, units: addUp(this.#database.tables.holds.all()), taken },
    )
  }

  /** One command after the other: each finds what those ahead of it left, as if it were alone. */
  #follow({ moved, submission, taken }: Step, atMillis: number): void {
    const value = (name: string): number => this.#values.get(name) ?? 0
    this.effective.add(submission)
    for (const { productId, unitPrice } of taken?.lines ?? []) {
      const what = `command ${submission.number} took ${productId}`
      assert.strictEqual(unitPrice, value(factCount("price", productId)), `${what} at another price`)
      assert.strictEqual(value(factCount("archived", productId)), 0, `${what}, which is archived`)
      assert.strictEqual(value(factCount("paused", productId)), 0, `${what}, which is paused`)
      assert.ok(value(factCount("sale start", productId)) <= atMillis, `${what} before its sale`)
    }
    for (const [name, by] of moved) add(this.#values, name, by)
    for (const { productId } of taken?.lines ?? []) {
      assert.ok(value(stockCount(productId)) >= 0, `command ${submission.number} spent what only later came back`)
      const limit = value(factCount("limit", productId))
      const has = value(unitsCount(productId, taken?.customer ?? ""))
      if (limit > 0) assert.ok(has <= limit, `command ${submission.number} took more of ${productId} than the limit`)
    }
  }

  #stepsOf(
    write: BatchWrite,
    before: Before,
    atMillis: number,
  ): Pick<AppliedBatch, "steps" | "isSurprise"> & { readonly events: ReadonlyArray<string> } {
    const { tables } = this.#database
    const steps: Array<Step> = []
    const changes = new Changes()
    changesOfOrders(before, tables, changes)
    changesOfPlaces(before, tables, changes)
    const note = (submission: Submission | undefined, moved: Step["moved"], taken: Step["taken"] = null): void => {
      if (submission === undefined) return assert.fail("a batch carries a command nobody sent")
      const isNew = !this.effective.has(submission) && !steps.some((step) => step.submission === submission)
      assert.ok(isNew, `command ${submission.number} took effect twice`)
      steps.push({ submission, moved, taken, own: null })
    }
    const step = (command: Command, moved: Step["moved"], taken: Step["taken"] = null): void =>
      note(this.#history.byCommand.get(command), moved, taken)
    assertEachOnce(write)
    let isSurprise = write.extensions.length > 0
    for (const { command } of write.orders) {
      const isNew = tables.orders.get(command.orderId) !== undefined && !before.orders.has(command.orderId)
      if (!isNew) {
        isSurprise = true
        continue
      }
      const lines = this.#soldAtHome(command, write.shard, before, atMillis)
      const moved = both(changes.claim(command.orderId), moves(lines, command.customer, -1))
      step(command, moved, { customer: command.customer, lines })
    }
    for (const { command, lines: wanted } of write.holds) {
      const lines = wanted.map(({ productId }) => {
        const key = holdKey(write.shard, command, productId)
        assert.ok(!before.holds.has(key), "a hold that was there took units again")
        return tables.holds.get(key) ?? assert.fail("a hold without its row")
      })
      step(command, moves(lines, command.customer, -1), { customer: command.customer, lines })
    }
    for (const command of write.releases) {
      const gone = [...before.holds].flatMap(([key, row]) =>
        isOf(row, write.shard, command) && tables.holds.get(key) === undefined ? [row] : [],
      )
      const [row] = gone
      if (row === undefined) continue
      if (command.onlyExpired) assert.ok(row.expiresAtMillis <= atMillis, "a hold lapsed before its time")
      step(command, moves(gone, row.customer, 1))
    }
    // Two sweepers may bring the same return; it is applied once.
    const settled = new Set(tables.pendingReturns.all().map((row) => row.returnId))
    for (const command of write.returns) {
      const row = before.returns.get(command.returnId)
      if (row === undefined || settled.has(command.returnId)) continue
      settled.add(command.returnId)
      step(command, moves([row], row.customer, 1))
    }
    for (const command of write.movements) {
      const isNew = tables.movements.get(command.movementId) !== undefined && !before.movements.has(command.movementId)
      if (isNew) step(command, new Map([[stockCount(command.productId), command.delta]]))
      else isSurprise = true
    }
    const takes = new Set(steps.flatMap(({ taken }) => taken?.lines.map((line) => line.productId) ?? []))
    const { events, own } = this.#followLives({ write, before, atMillis, takes }, changes, note)
    steps.push(...this.#ownSteps(write.shard, own, changes))
    changes.assertAllClaimed()
    if (own.offers.length < write.offers.length) isSurprise = true
    for (const amendment of write.amendments) {
      if (!this.#isAmended(amendment, before)) isSurprise = true
      else note(this.#history.byContent.get(amendment.change), this.#editOf(amendment, before))
    }
    return {
      steps: steps.sort((left, right) => left.submission.number - right.submission.number),
      isSurprise,
      events,
    }
  }

  /** What became of orders, payments, shipments and waiting lists; of what ends, each line away from home goes back once. */
  #followLives(
    { atMillis, before, takes, write }: Batch,
    changes: Changes,
    note: (submission: Submission | undefined, moved: Step["moved"]) => void,
  ): { readonly events: ReadonlyArray<string>; readonly own: Own } {
    const { tables } = this.#database
    let linesAway = 0
    const commit: LivesCommit = {
      tables,
      before,
      write,
      atMillis,
      history: this.#history,
      went: (name) => add(this.went, name, 1),
      note: (submission, about, ended) => {
        const lines = ended === undefined ? [] : tables.linesOf(ended.orderId)
        const home = lines.filter((line) => tables.products.get(line.productId)?.shard === write.shard)
        linesAway += lines.length - home.length
        const given = ended === undefined ? new Map<string, number>() : moves(home, customerOf(ended), 1)
        note(submission, both(changes.claim(about), given))
      },
    }
    const events = followLives(commit)
    const sent = tables.pendingReturns.all().filter((row) => !before.returns.has(row.returnId))
    assert.strictEqual(sent.length, linesAway, "each line of another shard goes back once")
    const own = followWaiting(commit, takes)
    this.#noteOffers(own)
    return { events: [...events, ...own.events], own }
  }

  /** An offer ends once, in one way. */
  #noteOffers({ ended, offers }: Own): void {
    for (const { attempt, expiresAtMillis } of offers) {
      assert.ok(!this.offers.has(attempt), "an offer was made twice")
      this.offers.set(attempt, { expiresAtMillis, end: null })
    }
    for (const { attempt, how } of ended) {
      const offer = this.offers.get(attempt)
      if (offer === undefined) return assert.fail("an offer ended that was never made")
      assert.strictEqual(offer.end, null, `an offer ended twice`)
      offer.end = how
    }
  }

  /** What the shard did itself, as if it had been asked ahead of everything that this batch was asked for. */
  #ownSteps(shard: Shard, { offers, removed }: Own, changes: Changes): ReadonlyArray<Step> {
    const ownStep = (productId: ProductId, moved: Step["moved"], taken: Step["taken"]): Step => {
      const command = { _tag: "Offer", productId } as const
      const times = { deadlineMillis: 0, startedAtMillis: 0, answeredAtMillis: 0 }
      const submission = { number: -1, node: "", shard, command, ...times, answer: { _tag: "Done" } } as const
      const isAsked = this.#history.submissions.some(
        ({ answer, command: one, shard: of }) =>
          one._tag === "Offer" && one.productId === productId && of === shard && answer?._tag !== "Done",
      )
      return { submission, moved, taken, own: isAsked ? "somewhere" : "first" }
    }
    return [
      ...removed.map(({ accountId, productId }) =>
        ownStep(productId, changes.claim(unitsName(productId, accountId)), null),
      ),
      ...offers.map((offer) => {
        const { customer, productId } = offer
        const moved = both(changes.claim(unitsName(productId, customer)), moves([offer], customer, -1))
        return ownStep(productId, moved, { customer, lines: [offer] })
      }),
    ]
  }

  /** An order's lines of this shard; those of others were held for it at the price it pays, and its cart was its own. */
  #soldAtHome(command: Reserve, shard: Shard, before: Before, atMillis: number): ReadonlyArray<PricedLine> {
    const { tables } = this.#database
    const lines = tables.linesOf(command.orderId)
    const isHeld = (productId: ProductId): boolean =>
      command.held.some((part) => part.lines.some((line) => line.productId === productId))
    const isHome = ({ productId }: PricedLine): boolean =>
      tables.products.get(productId)?.shard === shard && !isHeld(productId)
    for (const { productId, quantity, unitPrice } of lines.filter((line) => !isHome(line))) {
      const part = command.held.find((held) => held.lines.some((line) => line.productId === productId))
      if (part === undefined) return assert.fail(`order ${command.orderId} has a line that nobody held`)
      const { fingerprint, key: heldUnder } = part
      const key = holdKey(part.shard, { caller: command.caller, key: heldUnder, fingerprint }, productId)
      const row = before.holds.get(key)
      assert.deepStrictEqual(
        [row?.quantity, row?.unitPrice, row?.attempt],
        [quantity, unitPrice, part.attempt],
        "a held line is sold as its own attempt held it",
      )
      assert.ok((row?.expiresAtMillis ?? 0) > atMillis, "an order consumed a hold whose time was over")
      assert.strictEqual(tables.holds.get(key), undefined, "a hold outlived the order that consumed it")
    }
    if (command.cartVersion !== null) this.#cartSold(command, before)
    return lines.filter(isHome)
  }

  #cartSold({ caller, cartVersion, orderId }: Reserve, before: Before): void {
    const { tables } = this.#database
    const name = `${caller}/${cartVersion}`
    assert.ok(!this.#soldCarts.has(name), `version ${cartVersion} of a cart was sold twice`)
    this.#soldCarts.add(name)
    const cart = before.carts.get(caller)
    assert.strictEqual(cart?.version, cartVersion, `order ${orderId} sold a cart that had changed`)
    assert.deepStrictEqual(
      quantities(tables.linesOf(orderId)),
      quantities(cart?.lines ?? []),
      "the cart's lines are sold",
    )
    const left = tables.carts.get(caller)
    assert.ok(left?.lines.length === 0 && left.version > (cartVersion ?? 0), "a cart was sold and not emptied")
  }

  #isAmended({ productId }: AmendmentWrite, before: Before): boolean {
    return this.#database.tables.products.get(productId) !== before.products.get(productId)
  }

  /** What an edit moved; it must have been made on the version that it was decided on, and have raised it by one. */
  #editOf({ change, productId, version }: AmendmentWrite, before: Before): ReadonlyMap<string, number> {
    const product = before.products.get(productId)
    const edited = this.#database.tables.products.get(productId)
    const submission = this.#history.byContent.get(change)
    if (product === undefined || edited === undefined || submission?.command._tag !== "Amend") {
      return assert.fail("an edit that nobody asked for")
    }
    assert.strictEqual(product.version, version, "an edit of another version than it was decided on")
    const { expectedVersion } = submission.command
    if (expectedVersion !== null) assert.strictEqual(product.version, expectedVersion, "a stale edit was made")
    const { price, ...given } = change
    const wanted = { ...product, ...given, price: price?.amount ?? product.price, version: version + 1 }
    assert.deepStrictEqual(edited, { ...wanted, countsUnits: edited.countsUnits }, "an edit changes what it names")
    const mayCount = product.countsUnits || edited.limitPerCustomer !== null
    assert.strictEqual(edited.countsUnits, mayCount, "units are counted from the first limit on")
    this.versions.set(submission, edited.version)
    const earlier = factsOf(product)
    return new Map([...factsOf(edited)].map(([name, value]) => [name, value - (earlier.get(name) ?? 0)]))
  }
}

const addTo = (units: Map<ProductId, number>, productId: ProductId, by: number): void => {
  units.set(productId, (units.get(productId) ?? 0) + by)
}

const addUp = (rows: Lines): Map<ProductId, number> => {
  const units = new Map<ProductId, number>()
  for (const { productId, quantity } of rows) addTo(units, productId, quantity)
  return units
}

type Lines = ReadonlyArray<{ readonly productId: ProductId; readonly quantity: number }>

/** What units that leave the stock (-1) or come back (1) move: the stock, and what their customer has. */
const moves = (lines: Lines, customer: string, sign: 1 | -1): ReadonlyMap<string, number> => {
  const moved = new Map<string, number>()
  for (const { productId, quantity } of lines) {
    add(moved, stockCount(productId), sign * quantity)
    add(moved, unitsCount(productId, customer), -sign * quantity)
  }
  return moved
}

const both = (one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): ReadonlyMap<string, number> => {
  const moved = new Map(one)
  for (const [name, by] of other) add(moved, name, by)
  return moved
}

export const quantities = (lines: Lines) =>
  Object.fromEntries(lines.map((line) => [line.productId, line.quantity] as const))

/** The type of an event and the ids that it names. */
const nameOfEvent = (event: BatchEvent): string => {
  const { type } = event
  if ("movementId" in event) return `${type} ${event.movementId}`
  if ("version" in event) return `${type} ${event.productId} ${event.version}`
  if ("paymentId" in event) return `${type} ${event.orderId} ${event.paymentId}`
  if ("shipmentId" in event) return `${type} ${event.orderId} ${event.shipmentId}`
  if (!("offerId" in event)) return `${type} ${event.orderId}`
  const order = "orderId" in event ? ` ${event.orderId}` : ""
  return `${type} ${event.productId} ${event.offerId}${order}`
}

const numberName = (of: Pick<BatchWrite, "shard" | "epoch" | "batch">): string => `${of.shard}/${of.epoch}/${of.batch}`

const isOf = (row: HoldRow, shard: Shard, { attempt, caller, fingerprint, key }: Release): boolean =>
  row.shard === shard &&
  row.attempt === attempt &&
  row.caller === caller &&
  row.key === key &&
  row.fingerprint === fingerprint
