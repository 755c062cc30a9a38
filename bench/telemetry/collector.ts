/** A collector that takes whatever it is sent and keeps nothing, so that what is measured is the sending. */
import { createServer } from "node:http"

const server = createServer((request, response) => {
  request.resume().on("end", () => response.writeHead(200, { "content-type": "application/json" }).end("{}"))
})
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (typeof address === "object" && address !== null) console.log(`collects at http://127.0.0.1:${address.port}`)
})
