/**
 * Requests made from the served OpenAPI document, right ones, nearly right ones and broken ones, in sequences in which
 * carts, orders, edits and imports really happen: whatever is sent, the answer is one that the document tells.
 *
 * More of it: `FUZZ_REQUESTS=100000 npm test -- test/fuzz`. The seed is printed; `FUZZ_SEED` sends the same requests
 * again, and with the `FUZZ_PATH` that a failure prints only those that failed.
 */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { assertBooksBalanced } from "../http/shopping.ts"
import { testServerWith } from "../http/testServer.ts"
import { fuzz } from "./fuzz.ts"

const requests = Number(process.env["FUZZ_REQUESTS"] ?? 4_000)
const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
const path = process.env["FUZZ_PATH"]

/** A machine that is busy with other things still sends more than so many a second. */
const slowRequestsASecond = 25
const timeoutMillis = 60_000 + (requests / slowRequestsASecond) * 1_000

/** Addresses of their own for the callers, and a rate of orders that a caller who does not stop goes beyond. */
const server = testServerWith({ HEDONIFY_TRUSTED_PROXIES: "127.0.0.1", HEDONIFY_ORDERS_PER_SECOND: "20" })

layer(server, { excludeTestServices: true })("requests made from the OpenAPI document", (it) => {
  it.effect(
    "are answered as it says, whatever is wrong with them, and leave the books in order",
    () =>
      Effect.gen(function* () {
        console.log(`Fuzzing with FUZZ_SEED=${seed}.`)
        const { coverage, failure, sequences } = yield* fuzz({ seed, requests, path })
        console.log([`${coverage.requests} requests, ${sequences} sequences.`, ...coverage.lines()].join("\n"))
        if (failure !== undefined) {
          const again = `FUZZ_SEED=${seed} FUZZ_PATH=${failure.path} npm test -- test/fuzz/fuzz.test.ts`
          assert.fail(`${failure.report}\nAgain: ${again}`)
        }
        yield* assertBooksBalanced
        if (path === undefined) assert.deepStrictEqual(coverage.withoutSuccess(), [])
      }),
    timeoutMillis,
  )
})
