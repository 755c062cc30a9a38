/**
 * How often each operation was answered with each status, as a table for a person, and what was never reached.
 */
import type { Contract } from "./contract.ts"

export class Coverage {
  readonly #contract: Contract
  readonly #counts = new Map<string, Map<number, number>>()
  requests = 0

  constructor(contract: Contract) {
    this.#contract = contract
  }

  add(operationId: string, status: number): void {
    this.requests += 1
    const counts = this.#counts.get(operationId) ?? new Map<number, number>()
    this.#counts.set(operationId, counts.set(status, (counts.get(status) ?? 0) + 1))
  }

  #reached(operationId: string, status: number): boolean {
    return (this.#counts.get(operationId)?.get(status) ?? 0) > 0
  }

  /** Operations that document a success and never had one. */
  withoutSuccess(): ReadonlyArray<string> {
    return this.#contract.operations
      .map(({ answers, id }) => ({ id, successes: [...answers.keys()].filter((status) => status < 300) }))
      .filter(({ id, successes }) => successes.length > 0 && !successes.some((status) => this.#reached(id, status)))
      .map(({ id }) => id)
  }

  lines(): ReadonlyArray<string> {
    const ids = [...this.#contract.operations.map(({ id }) => id), "(no operation)"]
    const width = Math.max(...ids.map((id) => id.length))
    const rows = ids.map((id) => {
      const counts = [...(this.#counts.get(id) ?? [])].sort(([left], [right]) => left - right)
      return `${id.padEnd(width)}  ${counts.map(([status, count]) => `${status === 0 ? "closed" : status}: ${count}`).join("  ")}`
    })
    // What only a defect or a lack of something brings about is not looked for.
    const missed = this.#contract.operations.flatMap(({ answers, id }) =>
      [...answers.keys()]
        .filter((status) => status < 500 && !this.#reached(id, status))
        .map((status) => `${id} ${status}`),
    )
    return [...rows, `Documented and not reached: ${missed.length === 0 ? "nothing" : missed.join(", ")}.`]
  }
}
