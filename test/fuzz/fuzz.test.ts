/**
 * Requests made from the served OpenAPI document, right ones, nearly right ones and broken ones, in sequences in which
 * carts, orders, edits and imports really happen: whatever is sent, the answer is one that the document tells.
 *
 * More of it: `FUZZ_REQUESTS=100000 npm test -- test/fuzz`. The seed is printed; `FUZZ_SEED` sends the same requests
 * again, and with the `FUZZ_PATH` that a failure prints only those that failed.
 */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { assertBooksClosed } from "../http/shopping.ts"
import { call, TestServer, testServerWith, tokenSecret, adminPassword } from "../http/testServer.ts"
import { Client } from "./client.ts"
import { readContract } from "./contract.ts"
import { Coverage } from "./coverage.ts"
import { makeJudge } from "./judge.ts"
import { scriptOf } from "./script.ts"
import { type Fault, runSteps } from "./session.ts"
import { firstProducts, openShop } from "./shop.ts"
import { steps } from "./steps.ts"

const requestsWanted = Number(process.env["FUZZ_REQUESTS"] ?? 3_000)
const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
const path = process.env["FUZZ_PATH"]
const stepsMax = 50
/** Requests that a sequence comes to on average. */
const requestsASequence = 30
const idleRequestsASecond = 100

const server = testServerWith({ HEDONIFY_TRUSTED_PROXIES: "127.0.0.1", HEDONIFY_ORDERS_PER_SECOND: "50" })

const shown = (text: string): string => (text.length > 2_000 ? `${text.slice(0, 2_000)}…` : text)

const report = ({ answer, exchanges, sentences, step, world }: Fault, replay: string): string => {
  const flaw = step.flaw === undefined ? "nothing wrong with it" : JSON.stringify(step.flaw).slice(0, 300)
  return [
    `${step.operation.id} as ${step.role}, ${flaw}:`,
    ...sentences.map((sentence) => `  ${shown(sentence)}`),
    `The answer: ${answer === undefined ? "none" : `${answer.status} ${shown(answer.text)}`}`,
    "What was sent, to be pasted into a shell:",
    ...scriptOf(exchanges, world.names(), firstProducts),
    `Again: ${replay} npm test -- test/fuzz/fuzz.test.ts`,
  ].join("\n")
}

layer(server, { excludeTestServices: true, timeout: 120_000 })("requests made from the OpenAPI document", (it) => {
  it.effect(
    "are answered as it says, whatever is wrong with them, and leave the books in order",
    () =>
      Effect.gen(function* () {
        const contract = readContract(JSON.parse((yield* call("/openapi.json")).text))
        const coverage = new Coverage(contract)
        const judge = makeJudge(contract, [tokenSecret, adminPassword])
        const client = yield* Effect.acquireRelease(
          Effect.map(TestServer, (address) => new Client(address)),
          (opened) => Effect.sync(() => opened.close()),
        )
        const { newWorld, signInAgain } = yield* openShop
        const run = Effect.runPromiseWith(yield* Effect.context<Effect.Services<typeof newWorld>>())
        let fault: Fault | undefined
        const session = {
          client,
          contract,
          coverage,
          judge,
          signInAgain: (caller: Parameters<typeof signInAgain>[0]) => run(signInAgain(caller)),
        }

        const holds = fc.asyncProperty(
          fc.array(steps(contract), { minLength: 1, maxLength: stepsMax, size: "max" }),
          async (sequence) => {
            const found = await runSteps(session, await run(newWorld), sequence)
            fault = found ?? fault
            return found === undefined
          },
        )
        console.log(`Fuzzing with FUZZ_SEED=${seed}.`)
        const details = yield* Effect.promise(() =>
          fc.check(holds, {
            seed,
            numRuns: Math.ceil(requestsWanted / requestsASequence),
            ...(path === undefined ? {} : { path }),
          }),
        )
        console.log([`${coverage.requests} requests, ${details.numRuns} sequences.`, ...coverage.lines()].join("\n"))
        if (details.failed) {
          if (fault === undefined) return assert.fail(fc.defaultReportMessage(details) ?? "it failed without a reason")
          const requests = process.env["FUZZ_REQUESTS"]
          const replay = `FUZZ_SEED=${seed} FUZZ_PATH=${details.counterexamplePath}${requests === undefined ? "" : ` FUZZ_REQUESTS=${requests}`}`
          return assert.fail(report(fault, replay))
        }
        yield* assertBooksClosed
        if (path === undefined) assert.deepStrictEqual(coverage.withoutSuccess(), [])
      }),
    60_000 + (requestsWanted / idleRequestsASecond) * 4_000,
  )
})
