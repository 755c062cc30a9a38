/**
 * The shop as the scripts see it: the world they were handed, one request, and what every scenario counts and demands.
 * Must stay true: a counter that a threshold looks at is counted from 0 in `countFromZero`, since k6 lets a threshold
 * pass whose metric never had a sample.
 */
import { SharedArray } from "k6/data"
import http from "k6/http"
import { Counter, Trend } from "k6/metrics"
import { setTimeout } from "k6/timers"
import type { World } from "../src/load/world.ts"

const worldFile = __ENV["SHOP"] ?? ""
if (worldFile === "") throw new Error("This script needs a shop that was made for it: start it with npm run load.")

/** Read once for all virtual users: thousands of tokens in each of hundreds of them would be a gigabyte. */
const tokens = new SharedArray<string>("tokens", () => {
  const { tokens: all }: World = JSON.parse(open(worldFile))
  return [...all]
})

export const tokenOf = (index: number): string => tokens[index % tokens.length] ?? ""
export const tokenCount = tokens.length

/** The world of this run without its tokens, as its writer made it for this scenario. */
export const readWorld = <W extends World>(): W => {
  const shared = new SharedArray<W>("world", () => [{ ...JSON.parse(open(worldFile)), tokens: [] }])
  const [world] = shared
  if (world === undefined) throw new Error(`${worldFile} holds no world.`)
  return world
}

export const pressToAnswer = new Trend("press_to_answer", true)
export const ordersPlaced = new Counter("orders_placed")
export const unitsSold = new Counter("units_sold")
/** What buyers were told less what their accounts hold at the end: 0 where nothing was lost and nothing made up. */
export const unitsUnaccounted = new Counter("units_unaccounted")
/** Answers that no caller should ever get, buyers who never got one, and scripts that broke. */
const errors = new Counter("errors")
export const hangUps = new Counter("hang_ups")
export const busyAnswers = new Counter("busy_answers")
export const connectionsLost = new Counter("connections_lost")
export const replays = new Counter("replays")

export const countFromZero = (...others: ReadonlyArray<Counter>): void => {
  for (const counter of [ordersPlaced, unitsSold, unitsUnaccounted, errors, ...others]) counter.add(0)
}

/** What every scenario demands; how each claim about an answer fares is a check. */
export const thresholdsOf = ({ latencyMaxMillis }: World): Record<string, Array<string>> => ({
  checks: ["rate==1"],
  errors: ["count==0"],
  units_unaccounted: ["count==0"],
  press_to_answer: [`p(99)<${latencyMaxMillis}`],
})

export const trendStats = ["med", "p(95)", "p(99)", "max"]

// k6 would count a "sold out" or a "not modified" as a failed request.
http.setResponseCallback(http.expectedStatuses({ min: 200, max: 399 }, 409, 503))

export interface Answer {
  /** 0 where there was none. */
  readonly status: number
  /** k6's own number for why there was none. */
  readonly errorCode: number
  /** By names as Go writes them: `Retry-After`, `Etag`. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  readonly path: string
  /** The path with its ids left out, so that k6 keeps one row for all of them. */
  readonly route: string
  readonly token?: string
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Longer than the service takes to settle an outcome and to say so. */
const answerMaxMillis = 30_000

export const send = async ({ url }: World, call: Call, patienceMillis = answerMaxMillis): Promise<Answer> => {
  const { body, error_code, headers, status } = await http.asyncRequest(
    call.method,
    `${url}${call.path}`,
    call.body === undefined ? null : JSON.stringify(call.body),
    {
      headers: {
        ...call.headers,
        ...(call.token === undefined ? {} : { Authorization: `Bearer ${call.token}` }),
        ...(call.key === undefined ? {} : { "Idempotency-Key": call.key }),
        ...(call.body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      responseType: "text",
      tags: { name: `${call.method} ${call.route}` },
      timeout: patienceMillis,
    },
  )
  return { status, errorCode: error_code, headers, body: body ?? "" }
}

export const pause = (millis: number): Promise<void> =>
  new Promise((resume) => {
    setTimeout(resume, millis)
  })

/** k6 has a console, which its types leave out. */
declare const console: { readonly error: (sentence: string) => void }

/** Fails the run, and says why in k6's log. */
export const fault = (sentence: string): void => {
  errors.add(1)
  console.error(sentence)
}

/** k6 would only log that a script broke, and go on. */
export const counted = (work: () => Promise<void>) => async (): Promise<void> => {
  try {
    await work()
  } catch (error) {
    fault(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
}
