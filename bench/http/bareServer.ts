/**
 * The least that could answer an order in Node: node:http, JSON.parse, JSON.stringify, nothing checked and nothing
 * kept. It is a program of its own, started by `npm run bench -- http`, and prints where it listens.
 */
import { randomUUID } from "node:crypto"
import { createServer } from "node:http"

interface Body {
  readonly lines: ReadonlyArray<{ readonly productId: string; readonly quantity: number }>
}

const unitPrice = { amount: 1000, currency: "EUR" }
const merchantId = randomUUID()

const orderOf = (body: Body) => {
  const now = new Date().toISOString()
  const lines = body.lines.map(({ productId, quantity }) => ({
    productId,
    name: "Bench product",
    quantity,
    unitPrice,
    lineTotal: { amount: unitPrice.amount * quantity, currency: "EUR" },
    merchantId,
  }))
  const amount = lines.reduce((sum, line) => sum + line.lineTotal.amount, 0)
  const total = { amount, currency: "EUR" }
  return {
    id: randomUUID(),
    status: "reserved",
    lines,
    total,
    createdAt: now,
    expiresAt: now,
    payments: [],
    shipments: [],
  }
}

const server = createServer((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const body: Body = JSON.parse(Buffer.concat(chunks).toString("utf8"))
    const order = orderOf(body)
    const text = JSON.stringify(order)
    response.writeHead(201, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      location: `/v1/orders/${order.id}`,
    })
    response.end(text)
  })
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (typeof address === "object" && address !== null) console.log(`serves http://127.0.0.1:${address.port}`)
})
