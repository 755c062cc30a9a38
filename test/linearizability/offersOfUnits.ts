/**
 * What waiting does to a product's count: a shop sets units aside for who waits whenever it likes, and they become an
 * order or come back. Must stay true: each wait is one offer at most, and each order of an offer came of one of them.
 */
import { earliestCall, grouped, orderIdOf } from "./answers.ts"
import type { OrderAttempt, OrderHistory, Wait } from "./orderHistory.ts"
import { unitsOf } from "./orderLines.ts"
import type { ProductOperations } from "./productOperations.ts"

const nameOf = (caller: string, productId: string, quantity: number): string => `${caller} ${productId} ${quantity}`

/** When the units of an order may have been set aside first: as soon as its caller asked to wait for as many. */
export const offeredFrom = (
  { waits = [] }: OrderHistory,
  { caller }: OrderAttempt,
  productId: string,
  quantity: number,
): number =>
  earliestCall(
    waits
      .filter((wait) => nameOf(wait.caller, wait.productId, wait.quantity) === nameOf(caller, productId, quantity))
      .map(answerless),
  )

const answerless = ({ invokedAt }: Wait) => ({ invokedAt, answeredAt: null })

/**
 * Sets aside what waits may have been offered and nobody was seen to buy. Of as many waits for the same as were bought,
 * the last that may have been are left out: whichever they really were, an earlier one explains all that a later one does.
 */
export const addOffers = (history: OrderHistory, products: ProductOperations): void => {
  const { attempts, waits = [] } = history
  if (waits.length === 0) return
  const offered = attempts.filter(({ answer, isOffered }) => isOffered === true && answer.kind === "placed")
  const sold = grouped(offered, ({ answer }) => orderIdOf(answer)).flatMap((answers) => {
    const [first] = answers
    if (first === undefined) return []
    const same = attempts.filter(({ caller, key }) => caller === first.caller && key === first.key)
    const calledBy = Math.max(...same.map(({ invokedAt }) => invokedAt))
    return [...unitsOf(first.lines)].map(([productId, quantity]) => {
      return { name: nameOf(first.caller, productId, quantity), calledBy }
    })
  })
  const left = waits.toSorted((one, other) => one.invokedAt - other.invokedAt)
  for (const { calledBy, name } of sold.toSorted((one, other) => one.calledBy - other.calledBy)) {
    const last = left.findLastIndex(
      ({ caller, invokedAt, productId, quantity }) =>
        invokedAt <= calledBy && nameOf(caller, productId, quantity) === name,
    )
    if (last >= 0) left.splice(last, 1)
  }
  for (const { caller, invokedAt, productId, quantity } of left) {
    products.addAside(productId, { quantity, invokedAt, label: `an offer of ${quantity} to ${caller}, if it was made` })
  }
}
