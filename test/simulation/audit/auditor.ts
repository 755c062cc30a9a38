/**
 * The judge of a run: it knows the rows and the answers that were given, and nothing of the planner or the actor. Each
 * answer is checked when it is given, the books after every commit, and at the end every refusal against the one order
 * in which the shard's commands took effect.
 *
 * Must stay true: what is demanded here is what the promise says, no more: a check that only today's code passes would
 * forbid tomorrow's.
 */
import assert from "node:assert/strict"
import { holdTtlMillis, sweepIntervalMillis } from "../../../src/domain/bounds.ts"
import type { Command, PricedLine } from "../../../src/domain/commands.ts"
import type { OrderId, Shard } from "../../../src/domain/ids.ts"
import { OrderStatus, orderTransitions } from "../../../src/domain/order.ts"
import type { MemoryDatabase } from "../../../src/inventory/memory/MemoryShardStore.ts"
import { type BatchEvent, customerOf } from "../../../src/inventory/memory/memoryRows.ts"
import { contradictions } from "../../linearizability/contradictions.ts"
import { assertBooks, assertUnits, type Books } from "./books.ts"
import { clientHistoryOf } from "./clientHistory.ts"
import { stockCount } from "./counts.ts"
import type { Acceptance, Attempt, Cancellation, History, Purchase, Refund, Submission } from "./history.ts"
import { type Ledger, quantities } from "./ledger.ts"
import { checkLifeAnswer, checkLifeRefusal } from "./livesAnswers.ts"
import { checkNothingToEdit, checkRefusal } from "./refusals.ts"
import { waitersWhoFit } from "./waiting.ts"
import { unknownProduct } from "../crowd/shop.ts"

/** How late an answer may be: the actor looks at its deadlines in ticks of 25 ms. */
const latenessMaxMillis = 50
/** How long after its time a reservation may keep its stock when nothing goes wrong any more. */
const sweepLagMaxMillis = 2 * sweepIntervalMillis
/** What a machine that is too busy may add to it. */
const stallsMaxMillis = 4_000

export interface Circumstances {
  /** Whether time never went on under a fiber's feet. */
  readonly isPunctual: boolean
  /** Whether a store call of this node on this shard is under way, or ended just now without an answer. */
  readonly isCommitting: (node: string, shard: Shard) => boolean
  /** Every count before anything happened. */
  readonly first: ReadonlyMap<string, number>
  /** Whether this node was killed: who waited for it got no answer. */
  readonly isKilled: (node: string) => boolean
  readonly nowMillis: () => number
}

export class Auditor {
  readonly #database: MemoryDatabase
  readonly #circumstances: Circumstances

  constructor(database: MemoryDatabase, circumstances: Circumstances) {
    this.#database = database
    this.#circumstances = circumstances
  }

  get #books(): Books {
    const { tables } = this.#database
    return {
      products: tables.products.all(),
      stock: tables.stock.all(),
      movements: tables.movements.all(),
      orders: tables.orders.all(),
      orderLines: tables.orderLines.all(),
      holds: tables.holds.all(),
      pendingReturns: tables.pendingReturns.all(),
      customerUnits: tables.customerUnits.all(),
    }
  }

  onApplied(ledger: Ledger): void {
    assertBooks(this.#books)
    assertUnits(this.#books, this.#customerOf)
    for (const { submission } of ledger.batches.at(-1)?.steps ?? []) {
      assert.ok(!saidNothing(submission), `command ${submission.number} took effect after its refusal`)
    }
  }

  /** One command's answer, at the instant it is given. */
  onAnswer(submission: Submission, ledger: Ledger): void {
    const { answer, answeredAtMillis, command, deadlineMillis, node, number, shard, startedAtMillis } = submission
    if (answer === null || answer._tag === "HungUp") return
    const isEffective = ledger.effective.has(submission)
    if (saidNothing(submission)) assert.ok(!isEffective, `command ${number} took effect, and "${answer._tag}" was said`)
    if (this.#circumstances.isPunctual) {
      const latestMillis = Math.max(deadlineMillis, startedAtMillis) + latenessMaxMillis
      assert.ok(answeredAtMillis <= latestMillis, `command ${number} was answered past its deadline`)
    }
    checkLifeAnswer(submission, this.#database.tables)
    switch (answer._tag) {
      case "Accepted":
      case "Moved":
      case "Begun":
        return assert.ok(isEffective, `command ${number} was answered ${answer._tag} and is not in the rows`)
      case "Cancelled":
      case "AlreadyCancelled":
        if (command._tag !== "Cancel") return
        return assert.ok(isGivenUp(this.#statusOf(command.orderId)), `command ${number}: ${answer._tag}`)
      case "Refunded":
      case "AlreadyRefunded":
        if (command._tag !== "Refund") return
        return assert.strictEqual(this.#statusOf(command.orderId), "refunded", `command ${number}: ${answer._tag}`)
      case "Amended": {
        const version = ledger.versions.get(submission)
        if (version !== undefined) assert.strictEqual(answer.version, version, `the version that edit ${number} left`)
        return
      }
      case "Held":
        if (command._tag === "Hold") assert.ok(isEffective || this.#extends(command, ledger), "Held, but no hold")
        return
      case "Repeated":
        if ("paymentId" in answer) return
        return this.#checkRepeat(command, "orderId" in answer ? answer.orderId : answer.movementId)
      case "OutcomeUnknown":
        assert.ok(
          this.#circumstances.isCommitting(node, shard),
          `command ${number}: "outcome unknown" although nothing was being committed`,
        )
        return
      case "CommandFailed":
        return assert.ok(isPoison(command), `command ${number} failed without a fault of its own: ${answer.reason}`)
      default:
    }
  }

  /** One coordinator's answer, at the instant it is given. */
  onAttempt({ answer, knownBefore, request, startedAtMillis }: Attempt, { submissions }: History): void {
    if (answer === null || answer._tag === "HungUp") return
    const { tables } = this.#database
    const row = tables.orders.get(request.orderId)
    // A row that the database refuses is refused before its key is looked at.
    const isKeyAnswered = answer._tag !== "Busy" && answer._tag !== "OutcomeUnknown" && answer._tag !== "CommandFailed"
    if (knownBefore !== null && isKeyAnswered) {
      const isSame = knownBefore.fingerprint === request.fingerprint
      const code = answer._tag === "Refused" ? answer.refusal.code : answer._tag
      assert.strictEqual(code, isSame ? "Repeated" : "idempotency_key_reused", "the answer to a key that was known")
    }
    switch (answer._tag) {
      case "Accepted": {
        if (row === undefined) return assert.fail(`order ${request.orderId} was answered 201 and is not there`)
        assert.strictEqual(row.total, answer.total.amount)
        assert.strictEqual(answer.orderId, request.orderId)
        const stored = tables.linesOf(request.orderId)
        assert.deepStrictEqual(sorted(answer.lines), sorted(stored), "the lines answered are those stored")
        assert.deepStrictEqual(quantities(stored), quantities(request.lines), "the lines stored are those ordered")
        assert.strictEqual(answer.createdAtMillis, row.createdAtMillis, "the time answered")
        // Somebody may have begun to pay it before its own caller heard of it, and so have given it more time.
        const isLonger = tables.paymentsOf(request.orderId).length > 0 && answer.expiresAtMillis < row.expiresAtMillis
        const expiresAtMillis = isLonger ? answer.expiresAtMillis : row.expiresAtMillis
        return assert.strictEqual(answer.expiresAtMillis, expiresAtMillis, "the end of the time answered")
      }
      case "Repeated": {
        const known = tables.orders.get(answer.orderId)
        const isTheirs = known?.key === request.key && known.caller === request.caller
        return assert.ok(isTheirs && known.fingerprint === request.fingerprint, "a repeat of somebody else's order")
      }
      case "Busy":
      case "Refused":
      case "CartChanged":
        if (answer._tag === "Refused") this.#checkIsOfNow(answer.refusal.code, request, startedAtMillis, submissions)
        return assert.strictEqual(row, undefined, `order ${request.orderId} is there, and "${answer._tag}" was said`)
      default:
    }
  }

  /** What only the crowd decides is decided after it was asked for, even where somebody else asked first. */
  #checkIsOfNow(
    code: string,
    { caller, key }: Attempt["request"],
    startedAtMillis: number,
    submissions: History["submissions"],
  ): void {
    if (code !== "out_of_stock" && code !== "limit_exceeded") return
    const isOfNow = submissions.some(
      ({ answer, answeredAtMillis, command }) =>
        answer?._tag === "Refused" &&
        answer.refusal.code === code &&
        answeredAtMillis >= startedAtMillis &&
        "key" in command &&
        command.key === key &&
        command.caller === caller,
    )
    assert.ok(isOfNow, `a request under "${key}" was told "${code}" of a time before it came`)
  }

  /** What a client heard of a purchase, when it heard it. */
  onPurchase({ answer, buyer, key, knownBefore, lines }: Purchase): void {
    if (answer === null) return
    const { tables } = this.#database
    if (answer._tag === "Placed") {
      const { id, status, total } = answer.order
      const row = tables.orders.get(id)
      if (row === undefined) return assert.fail(`order ${id} was answered 201 and is not there`)
      assert.deepStrictEqual([row.caller, row.key], [buyer.caller, key], "somebody else's order")
      assert.strictEqual(row.customerRef, answer.order.customerRef, "an order for another customer")
      assert.strictEqual(row.total, total.amount)
      const stored = quantities(tables.linesOf(id))
      assert.deepStrictEqual(quantities(answer.order.lines), stored, "the lines a client was shown are those stored")
      if (lines !== null) assert.deepStrictEqual(stored, quantities(lines), "the lines stored are those wanted")
      if (!answer.isReplayed) assert.strictEqual(status, "reserved")
      if (knownBefore !== null) assert.strictEqual(id, knownBefore.orderId, "another order under a known key")
    }
    if (answer._tag === "Refused" && knownBefore !== null) {
      assert.strictEqual(answer.refusal.code, "idempotency_key_reused", "a repeat of a known key was refused")
    }
  }

  /** What a client was told of an order that was confirmed to it. */
  onLook(orderId: OrderId, found: string): void {
    assert.notStrictEqual(found, "NotFound", `order ${orderId} was confirmed and is not found`)
  }

  /** What a client heard of a cancellation, when it heard it. */
  onCancellation({ answer, caller, orderId, ownerBefore }: Cancellation): void {
    if (answer === null) return
    const order = this.#database.tables.orders.get(orderId)
    switch (answer._tag) {
      case "NotFound":
        return assert.notStrictEqual(caller, ownerBefore, "an order its owner does not find")
      case "Cancelled":
        assert.strictEqual(caller, ownerBefore, `somebody else cancelled order ${orderId}`)
        assert.ok(isGivenUp(answer.order.status))
        return assert.strictEqual(order?.status, answer.order.status, `order ${orderId} was answered cancelled`)
      case "Refused":
        assert.strictEqual(caller, ownerBefore, `somebody else was told of order ${orderId}`)
        assert.ok(!isGivenUp(order?.status), "a cancelled order is not one that could not be")
        if (answer.refusal.status !== "expired") {
          const isSent = this.#database.tables.shipmentsOf(orderId).length > 0
          return assert.ok(isSent, "only time, or a shipment, keeps an owner from cancelling")
        }
        return assert.ok(
          (order?.expiresAtMillis ?? Infinity) <= this.#circumstances.nowMillis(),
          "an order that had time could not be cancelled",
        )
      default:
    }
  }

  /** What a merchant heard of a refund, when it heard it. */
  onRefund({ answer, orderId }: Refund): void {
    if (answer?._tag === "NotFound") return assert.fail(`order ${orderId} is not found by who sells it`)
    if (answer?._tag !== "Refunded") return
    assert.strictEqual(answer.order.status, "refunded")
    assert.strictEqual(this.#statusOf(orderId), "refunded", `order ${orderId} was answered refunded`)
  }

  /** What somebody heard who accepted an offer, when it heard it. */
  onAcceptance({ accountId, answer, key, offerId, productId, quantity }: Acceptance): void {
    const { tables } = this.#database
    const row = tables.orderKeys.get(`${accountId}/${key}`)
    if (answer?._tag === "Placed") {
      assert.strictEqual(row?.orderId, answer.order.id, "an offer became another order than its key names")
      const wanted = { [productId]: quantity }
      assert.deepStrictEqual(quantities(answer.order.lines), wanted, "an offer became an order of something else")
      assert.deepStrictEqual(quantities(tables.linesOf(answer.order.id)), wanted, "an order is not of what was offered")
    }
    if (answer?._tag !== "Refused" || answer.refusal.code !== "offer_expired") return
    assert.strictEqual(row, undefined, "an offer is over for a key that has its order")
    const offer = tables.holds.all().find((hold) => hold.kind === "offer" && String(hold.attempt) === String(offerId))
    const isOver = (offer?.expiresAtMillis ?? 0) <= this.#circumstances.nowMillis()
    assert.ok(isOver, "an offer that is open was said to be over")
  }

  /** Without faults nobody who was answered since `calmMillis` has left a hold behind. */
  whenCalm(calmMillis: number): void {
    const left = this.#database.tables.holds
      .all()
      .filter((row) => row.kind === "order" && row.expiresAtMillis >= calmMillis + holdTtlMillis)
    assert.strictEqual(left.length, 0, `a request was answered, and still holds ${left[0]?.productId}`)
  }

  /** When faults have ended, everybody has an answer and the sweeper had passed by `sweptMillis`. */
  atEnd(history: History, ledger: Ledger, sweptMillis: number): void {
    const { isKilled } = this.#circumstances
    const { tables } = this.#database
    assertBooks(this.#books)
    assertUnits(this.#books, this.#customerOf)
    for (const attempt of history.attempts) {
      if (isKilled(attempt.node)) continue
      assert.notStrictEqual(attempt.answer, null, `attempt for order ${attempt.request.orderId} was never answered`)
      const isNo = attempt.answer?._tag === "Busy" || attempt.answer?._tag === "Refused"
      if (isNo) assert.strictEqual(tables.orders.get(attempt.request.orderId), undefined, "a ghost")
    }
    const { acceptances, cancellations, deeds, deliveries, joinings, purchases, refunds } = history
    for (const { answer } of [purchases, cancellations, deliveries, refunds, joinings, acceptances, deeds].flat()) {
      assert.notStrictEqual(answer, null, "a client waits for ever")
    }
    for (const { answer, node, number } of history.submissions) {
      if (!isKilled(node)) assert.notStrictEqual(answer, null, `command ${number} has no answer`)
    }
    assert.deepStrictEqual(tables.holds.all(), [], "a hold never ended")
    for (const { orderId } of tables.pendingReturns.all()) {
      const endedMillis = tables.orders.get(orderId)?.expiresAtMillis ?? 0
      assert.ok(endedMillis > sweptMillis - this.#lagMaxMillis, `a return of order ${orderId} never arrived`)
    }
    this.#checkEndings(history, sweptMillis)
    assert.deepStrictEqual(waitersWhoFit(tables, sweptMillis - this.#lagMaxMillis), [], "who waits is offered nothing")
    this.#checkOneCounter(history)
    for (const submission of history.submissions) {
      const hasChangedHands = (tables.leases.get(`${submission.shard}`)?.epoch ?? 0) > 1
      const circumstances = { first: this.#circumstances.first, hasChangedHands }
      checkRefusal(submission, ledger, circumstances)
      checkNothingToEdit(submission, ledger, circumstances)
      checkLifeRefusal(submission, ledger, circumstances, tables)
    }
  }

  /** Whatever clients were told of a product could have come from one counter that is right at every moment. */
  #checkOneCounter(history: History): void {
    const { tables } = this.#database
    const now = this.#circumstances.nowMillis()
    const looks = tables.stock.all().map(({ available, productId }) => {
      return { productId, available, invokedAt: now, answeredAt: now }
    })
    const shards = new Map(tables.products.all().map(({ productId, shard }) => [productId, shard]))
    const sold = [...shards.keys(), unknownProduct]
    const firstStock = new Map(sold.map((id) => [id, this.#circumstances.first.get(stockCount(id)) ?? 0]))
    const found = contradictions(clientHistoryOf(history, shards, looks), firstStock)
    assert.strictEqual(found.length, 0, found.join("\n"))
  }

  /** Every order's life is told once in the log, ends in time, and was cancelled only for its own caller. */
  #checkEndings({ cancellations, refunds }: History, sweptMillis: number): void {
    const { tables } = this.#database
    const told = new Map<OrderId, Array<OrderStatus>>()
    for (const event of tables.batches.all().flatMap((batch) => batch.events)) {
      const status = statusTold(event)
      if (status === null || !("orderId" in event)) continue
      told.set(event.orderId, [...(told.get(event.orderId) ?? []), status])
    }
    for (const { caller, expiresAtMillis, orderId, status } of tables.orders.all()) {
      const life = told.get(orderId) ?? []
      assert.ok(isLife(life) && life.at(-1) === status, `the log of order ${orderId} tells of ${life.join(", ")}`)
      const isLate = status === "reserved" && expiresAtMillis < sweptMillis - this.#lagMaxMillis
      assert.ok(!isLate, `order ${orderId} keeps its stock past its time`)
      const wasAsked = cancellations.some((one) => one.orderId === orderId && one.caller === caller)
      if (status === "cancelled") assert.ok(wasAsked, `order ${orderId} was cancelled, and its owner never asked`)
      const wasRefunded = wasAsked || refunds.some((one) => one.orderId === orderId)
      if (status === "refunded") assert.ok(wasRefunded, `order ${orderId} was refunded, and nobody asked`)
    }
  }

  get #lagMaxMillis(): number {
    return sweepLagMaxMillis + (this.#circumstances.isPunctual ? 0 : stallsMaxMillis)
  }

  readonly #customerOf = (orderId: string): string => {
    const order = this.#database.tables.orders.get(orderId)
    return order === undefined ? "" : customerOf(order)
  }

  #statusOf(orderId: OrderId): string | undefined {
    return this.#database.tables.orders.get(orderId)?.status
  }

  #extends(command: Extract<Command, { _tag: "Hold" }>, ledger: Ledger): boolean {
    return [...ledger.sent.values()].some((write) =>
      write.extensions.some((extension) => extension.command === command),
    )
  }

  #checkRepeat(command: Command, id: string): void {
    const { tables } = this.#database
    const row = [...tables.orders.all(), ...tables.movements.all()].find(
      (known) => ("orderId" in known ? known.orderId : known.movementId) === id,
    )
    if (row === undefined || !("key" in command)) return assert.fail(`a repeat of ${id}, which is not there`)
    assert.strictEqual(row.key, command.key)
    assert.strictEqual(row.caller, command.caller)
    assert.strictEqual(row.fingerprint, command.fingerprint)
  }
}

/** A command whose row PostgreSQL refuses: it would expire before it was made. */
export const isPoison = (command: Command): boolean => command._tag === "Reserve" && command.reservationTtlMillis <= 0

/** The status that an order came to by this event. */
const statusTold = ({ type }: BatchEvent): OrderStatus | null =>
  OrderStatus.literals.find((status) => type === `order.${status}`) ?? null

/** Whether an order begins as a reservation and goes on along the table of transitions. */
const isLife = (life: ReadonlyArray<OrderStatus>): boolean =>
  life.every((status, at) => {
    const earlier = life[at - 1]
    return earlier === undefined ? status === "reserved" : orderTransitions[earlier].includes(status)
  })

/** What an order is that its owner cancelled: refunded where it had been paid. */
const isGivenUp = (status: string | undefined): boolean => status === "cancelled" || status === "refunded"

/** Whether the caller was told that nothing happened. */
const saidNothing = ({ answer }: Submission): boolean =>
  answer?._tag === "Busy" ||
  answer?._tag === "Refused" ||
  answer?._tag === "CommandFailed" ||
  answer?._tag === "HoldMissing"

const sorted = (lines: ReadonlyArray<PricedLine>) =>
  lines
    .map(({ productId, quantity, unitPrice }) => ({ productId, quantity, unitPrice }))
    .sort((left, right) => (left.productId < right.productId ? -1 : 1))
