/**
 * A run of the fuzzer against the test's server: sequences from a seed, and what came of them. A failing sequence is
 * shrunk, each time in a new world, and told as lines that can be pasted into a shell.
 */
import { Effect } from "effect"
import * as fc from "fast-check"
import { adminPassword, call, paymentSecret, TestServer, tokenSecret } from "../http/testServer.ts"
import { Client } from "./client.ts"
import { readContract } from "./contract.ts"
import { Coverage } from "./coverage.ts"
import { makeJudge } from "./judge.ts"
import { scriptOf } from "./script.ts"
import { type Fault, runSteps } from "./session.ts"
import { firstProducts, openShop } from "./shop.ts"
import { steps } from "./steps.ts"
import type { Caller } from "./world.ts"

const stepsMax = 50
/** Requests that a sequence comes to on average. */
const requestsASequence = 30

export interface FuzzOptions {
  readonly seed: number
  /** About so many. */
  readonly requests: number
  /** Where in the seed's run the one sequence is that is to be run. */
  readonly path?: string | undefined
}

export interface FuzzOutcome {
  readonly coverage: Coverage
  readonly sequences: number
  readonly failure: { readonly fault: Fault; readonly path: string; readonly report: string } | undefined
}

const shown = (text: string): string => (text.length > 2_000 ? `${text.slice(0, 2_000)}…` : text)

const reportOf = ({ answer, exchanges, sentences, step, world }: Fault): string => {
  const flaw = step.flaw === undefined ? "nothing wrong with it" : shown(JSON.stringify(step.flaw))
  return [
    `${step.operation.id} as ${step.role}, ${flaw}:`,
    ...sentences.map((sentence) => `  ${shown(sentence)}`),
    `The answer: ${answer === undefined ? "none" : `${answer.status} ${shown(answer.text)}`}`,
    "What was sent, to be pasted into a shell:",
    ...scriptOf(exchanges, world.names(), firstProducts),
  ].join("\n")
}

export const fuzz = Effect.fnUntraced(function* ({ path, requests, seed }: FuzzOptions) {
  const contract = readContract(JSON.parse((yield* call("/openapi.json")).text))
  const coverage = new Coverage(contract)
  const judge = makeJudge(contract, [tokenSecret, adminPassword, paymentSecret])
  const client = yield* Effect.acquireRelease(
    Effect.map(TestServer, (address) => new Client(address)),
    (opened) => Effect.sync(() => opened.close()),
  )
  const shop = yield* openShop
  const run = Effect.runPromiseWith(yield* Effect.context<Effect.Services<typeof shop.newWorld>>())
  const signInAgain = (caller: Caller) => run(shop.signInAgain(caller))
  let fault: Fault | undefined

  const holds = fc.asyncProperty(
    fc.array(steps(contract), { minLength: 1, maxLength: stepsMax, size: "max" }),
    async (sequence) => {
      const found = await runSteps(
        { client, contract, coverage, judge, signInAgain },
        await run(shop.newWorld),
        sequence,
      )
      // The last one that failed is the smallest.
      fault = found ?? fault
      return found === undefined
    },
  )
  const numRuns = Math.ceil(requests / requestsASequence)
  const details = yield* Effect.promise(() => fc.check(holds, path === undefined ? { seed, numRuns } : { seed, path }))
  if (details.failed && fault === undefined) return yield* Effect.die(details.errorInstance)
  const outcome: FuzzOutcome = {
    coverage,
    sequences: details.numRuns,
    failure:
      fault === undefined ? undefined : { fault, path: details.counterexamplePath ?? "", report: reportOf(fault) },
  }
  return outcome
})
