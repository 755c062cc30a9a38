/** What is known of each product's count, gathered product by product. */
import type { Aside, StockHistory, StockOperation } from "./stockHistory.ts"

interface Gathered {
  readonly operations: Array<StockOperation>
  readonly asides: Array<Aside>
}

export class ProductOperations {
  readonly #products = new Map<string, Gathered>()

  add(productId: string, operation: StockOperation): void {
    this.#of(productId).operations.push(operation)
  }

  addAside(productId: string, aside: Aside): void {
    this.#of(productId).asides.push(aside)
  }

  get productIds(): ReadonlyArray<string> {
    return [...this.#products.keys()]
  }

  historyOf(productId: string, firstStock: number): StockHistory {
    return { firstStock, ...this.#of(productId) }
  }

  #of(productId: string): Gathered {
    let gathered = this.#products.get(productId)
    if (gathered === undefined) this.#products.set(productId, (gathered = { operations: [], asides: [] }))
    return gathered
  }
}
