/**
 * A shop that sells every unit as often as anybody wants it and shows a stock of 0 once there is none: what a load run
 * must not let pass. It knows just the paths that the flash sale needs, and forgets everything with the scope.
 */
import { Effect } from "effect"
import { createServer, type IncomingMessage } from "node:http"
import { randomUUID } from "node:crypto"

interface Line {
  readonly productId: string
  readonly quantity: number
}

interface Order {
  readonly id: string
  readonly status: "reserved"
  readonly lines: ReadonlyArray<Line & { readonly unitPrice: { readonly amount: number } }>
  readonly total: { readonly amount: number }
}

interface Product {
  readonly amount: number
  readonly stocked: number
  sold: number
}

/** What the callers here send is known to be well-formed. */
interface Body {
  readonly stock?: number
  readonly price?: { readonly amount: number }
  readonly lines?: ReadonlyArray<Line>
}

const statuses: Readonly<Record<string, number>> = { POST: 201, DELETE: 204 }

const bodyOf = async (request: IncomingMessage): Promise<Body> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString("utf8"))
}

const makeShop = () => {
  const products = new Map<string, Product>()
  const orders = new Map<string, Order>()
  const callers = new Map<string, string>()

  const createProduct = ({ price, stock = 0 }: Body) => {
    const id = randomUUID()
    products.set(id, { amount: price?.amount ?? 0, stocked: stock, sold: 0 })
    return { id }
  }

  const stockOf = (id: string) => {
    const { sold, stocked } = products.get(id) ?? { sold: 0, stocked: 0 }
    return { stocked, available: Math.max(0, stocked - sold) }
  }

  const place = (caller: string, key: string, { lines = [] }: Body): Order => {
    const known = orders.get(key)
    if (known !== undefined) return known
    const priced = lines.map((line) => ({ ...line, unitPrice: { amount: products.get(line.productId)?.amount ?? 0 } }))
    const amount = priced.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice.amount, 0)
    const order: Order = { id: randomUUID(), status: "reserved", lines: priced, total: { amount } }
    for (const { productId, quantity } of lines) {
      const product = products.get(productId)
      if (product !== undefined) product.sold += quantity
    }
    orders.set(key, order)
    callers.set(order.id, caller)
    return order
  }

  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const { headers, method = "", url = "" } = request
    const { pathname } = new URL(url, "http://shop.example")
    const caller = headers.authorization ?? ""
    const body = await bodyOf(request)
    if (pathname === "/v1/sessions") return { token: randomUUID() }
    if (pathname === "/v1/accounts") return { id: randomUUID() }
    if (pathname === "/v1/products") return createProduct(body)
    if (pathname.startsWith("/v1/products/")) return stockOf(pathname.slice("/v1/products/".length))
    if (method === "POST") return place(caller, String(headers["idempotency-key"]), body)
    return { data: [...orders.values()].filter(({ id }) => callers.get(id) === caller), hasMore: false }
  }

  return createServer((request, response) => {
    void answer(request).then((found) => {
      response.writeHead(statuses[request.method ?? ""] ?? 200, { "content-type": "application/json" })
      return response.end(request.method === "DELETE" ? "" : JSON.stringify(found))
    })
  })
}

/** Its address, for as long as the scope lives. */
export const oversellingShop = Effect.gen(function* () {
  const server = yield* Effect.acquireRelease(Effect.sync(makeShop), (opened) =>
    Effect.callback<void>((resume) => {
      opened.close(() => resume(Effect.void))
      opened.closeAllConnections()
    }),
  )
  return yield* Effect.callback<string>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      if (address === null || typeof address === "string") return resume(Effect.die("the shop has no port"))
      resume(Effect.succeed(`http://127.0.0.1:${address.port}`))
    })
  })
})
