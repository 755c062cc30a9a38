/**
 * A question that may be asked as often as it takes: reading, putting, deleting, cancelling. Must stay true: only "busy"
 * and a lost connection are asked again; every other answer that was not expected is an error of the run.
 */
import { check } from "k6"
import type { World } from "../src/load/world.ts"
import { type Answer, busyAnswers, type Call, connectionsLost, fault, pause, send } from "./shop.ts"

/** At a second's pause each, more than any overload of a run lasts. */
export const asksMax = 60
export const pauseAfterLossMillis = 250
const excerptLengthMax = 300

/**
 * How long to wait before asking again; undefined where the shop did answer. A 408 is no answer either: the connection
 * was given up before anything was read from it, as happens where 5,000 of them arrive at a machine that is busy.
 */
export const askAgainAfterMillis = ({ headers, status }: Answer): number | undefined => {
  if (status === 0 || status === 408) {
    connectionsLost.add(1)
    return pauseAfterLossMillis
  }
  if (status !== 503 && status !== 429) return undefined
  busyAnswers.add(1)
  const seconds = Number(headers["Retry-After"])
  check(seconds, { "a shop that is busy says when to come back": () => seconds > 0 })
  return seconds > 0 ? seconds * 1_000 : pauseAfterLossMillis
}

export const unexpected = ({ body, status }: Answer, { method, route }: Call): void =>
  fault(`${method} ${route} was answered ${status}: ${body.slice(0, excerptLengthMax)}`)

/** The answer, if it has one of these statuses. */
export const ask = async (
  world: World,
  call: Call,
  ...statuses: ReadonlyArray<number>
): Promise<Answer | undefined> => {
  for (let attempt = 0; attempt < asksMax; attempt++) {
    const answer = await send(world, call)
    if (statuses.includes(answer.status)) return answer
    const waitMillis = askAgainAfterMillis(answer)
    if (waitMillis === undefined) {
      unexpected(answer, call)
      return undefined
    }
    await pause(waitMillis)
  }
  fault(`${call.method} ${call.route} had no answer after ${asksMax} times`)
  return undefined
}
