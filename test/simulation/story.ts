/**
 * What happened in a run, told as it happens: who asked for what and heard what, what befell the processes, what each
 * batch did. Only for a run that somebody reads; in all others it listens to nobody.
 */
import type { InventorySettings } from "../../src/inventory/Inventory.ts"
import type { Attempt, Fate } from "../../src/inventory/memory/MemoryShardStore.ts"
import type { Cancellation, Delivered, Purchase, Submission } from "./audit/history.ts"
import type { Ledger } from "./audit/ledger.ts"
import type { Filling, Shop } from "./crowd/shop.ts"

/** Where a run begins. */
interface Setting {
  readonly company: "none" | "rival" | "forwarder" | "restart"
  readonly settings: InventorySettings
  readonly shop: Shop
}

const companies = {
  none: "alone",
  rival: "beside a rival",
  forwarder: "behind a forwarder",
  restart: "that is restarted",
} as const

type Deed = Purchase | Cancellation | Delivered
type Lines = ReadonlyArray<{ readonly productId: string; readonly quantity: number }>

/** A page of a thousand lines is read by nobody. */
const linesMax = 400

/** What was found, in a sentence. */
export const sentenceOf = (violation: unknown): string => {
  const message = violation instanceof Error ? violation.message : String(violation)
  return message.split("\n")[0] ?? message
}

export class Story {
  readonly lines: Array<string> = []
  readonly #isTold: boolean
  readonly #names = new Map<string, string>()
  #startMillis = 0
  #nowMillis = (): number => 0

  constructor(isTold: boolean) {
    this.#isTold = isTold
  }

  /** Whether there is more than fits a page. */
  get isCut(): boolean {
    return this.lines.length >= linesMax
  }

  begins({ company, settings, shop }: Setting, nowMillis: () => number): void {
    this.#nowMillis = nowMillis
    this.#startMillis = nowMillis()
    if (!this.#isTold) return
    const { batchSizeMax, lingerMillis, mailboxSize, shards } = settings
    this.tell(
      `A service ${companies[company]} with ${shards} shards, mailboxes of ${mailboxSize}, batches of ${batchSizeMax}, linger ${lingerMillis} ms`,
    )
    for (const { archived, currency, limitPerCustomer, paused, price, productId, shard, stocked } of shop.products) {
      const limit = limitPerCustomer === null ? "" : `, ${limitPerCustomer} a customer`
      const state = `${paused ? ", paused" : ""}${archived ? ", archived" : ""}`
      this.tell(`${this.#name(productId)}: ${stocked} units in shard ${shard}, ${price} ${currency}${limit}${state}`)
    }
  }

  tell(line: string): void {
    if (!this.#isTold || this.isCut) return
    this.lines.push(`${String(this.#nowMillis() - this.#startMillis).padStart(6)} ms  ${this.#named(line)}`)
  }

  asked(deed: Deed): void {
    if (this.#isTold) this.tell(`${this.#deed(deed)}, through ${deed.node}`)
  }

  heard(deed: Deed): void {
    if (this.#isTold) this.tell(`${this.#deed(deed)}: hears ${this.#answer(deed.answer)}`)
  }

  /** Of what was not asked in so many words of its own. */
  heardOf(what: string, answer: { readonly _tag: string }): void {
    if (this.#isTold) this.tell(`${what}: hears ${this.#answer(answer)}`)
  }

  filled({ buyer, lines }: Filling): void {
    if (this.#isTold) this.tell(`${this.#name(buyer.caller)} fills the cart with ${this.#lines(lines)}`)
  }

  decided({ answer, command, node, number, shard }: Submission): void {
    if (!this.#isTold) return
    const lines = "lines" in command ? ` ${this.#lines(command.lines.map((line) => ({ quantity: 1, ...line })))}` : ""
    const attempt = "attempt" in command ? ` by ${this.#name(command.attempt)}` : ""
    this.tell(`    ${node}, shard ${shard}: ${command._tag} ${number}${lines}${attempt} -> ${this.#answer(answer)}`)
  }

  attempted({ batch, epoch, kind, shard }: Attempt, fate: Fate): void {
    if (!this.#isTold || fate._tag === "Answered") return
    const why = fate._tag === "Rejected" ? ` with ${fate.sqlState}` : ""
    this.tell(`    shard ${shard}: the ${kind} of batch ${batch} of epoch ${epoch} is ${fate._tag}${why}`)
  }

  applied(ledger: Ledger): void {
    const batch = ledger.batches.at(-1)
    if (!this.#isTold || batch === undefined || this.#lastBatch === batch) return
    this.#lastBatch = batch
    const steps = batch.steps.map(({ moved, submission }) => {
      const stock = [...moved].filter(([name]) => name.startsWith("stock "))
      const number = submission.number < 0 ? "of its own accord" : submission.number
      const moves = stock.map(([name, by]) => `${this.#name(name.slice(6))} ${by > 0 ? "+" : ""}${by}`)
      return `${submission.command._tag} ${number}${moves.length > 0 ? ` (${moves.join(", ")})` : ""}`
    })
    this.tell(
      `    shard ${batch.shard}: batch ${batch.batch} of epoch ${batch.epoch} is applied: ${steps.join("; ") || "nothing"}`,
    )
  }
  #lastBatch: unknown = null

  #deed(deed: Deed): string {
    if ("movement" in deed) {
      const { delta, key, productId } = deed.movement
      return `the merchant moves ${this.#name(productId)} by ${delta} under "${key}"`
    }
    if ("orderId" in deed) return `${this.#name(deed.caller)} cancels ${this.#name(deed.orderId)}`
    const what = deed.lines === null ? "checks out" : `orders ${this.#lines(deed.lines)}`
    const whom = deed.buyer.customerRef === null ? "" : ` for "${deed.buyer.customerRef}"`
    return `${this.#name(deed.buyer.caller)} ${what}${whom} under "${deed.key}"`
  }

  #lines(lines: Lines): string {
    return lines.map(({ productId, quantity }) => `${quantity} x ${this.#name(productId)}`).join(", ") || "nothing"
  }

  #answer(answer: { readonly _tag: string } | null): string {
    if (answer === null) return "nothing yet"
    const details = Object.entries<unknown>({ ...answer }).flatMap(([name, value]) => {
      if (name === "order" && typeof value === "object" && value !== null && "id" in value) {
        return [this.#name(String(value.id))]
      }
      if (name === "orderId") return [this.#name(String(value))]
      if (name === "isReplayed") return value === true ? ["again"] : []
      return name === "refusal" ? [this.#short(JSON.stringify(value))] : []
    })
    return [answer._tag, ...details].join(" ")
  }

  /** Ids within a text by their short names. */
  #short(text: string): string {
    return this.#named(text).replaceAll('"', "")
  }

  #named(text: string): string {
    return text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, (id) => this.#name(id))
  }

  /** What the simulation draws has a number of its own; everything else is named in the order in which it appears. */
  #name(id: string): string {
    const drawn = /^00000000-0000-7000-8000-(\d{4})([0-9a-f]{8})$/.exec(id)
    const kind = { "0001": "product", "0002": "customer", "0004": "movement" }[drawn?.[1] ?? ""]
    if (kind !== undefined) return `${kind} ${Number.parseInt(drawn?.[2] ?? "0", 16)}`
    const known = this.#names.get(id)
    if (known !== undefined) return known
    const name = `#${this.#names.size + 1}`
    this.#names.set(id, name)
    return name
  }
}
