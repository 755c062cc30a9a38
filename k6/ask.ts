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

/** How long a shop that cannot answer now asks its caller to wait; undefined where it did answer. */
export const askedToWaitMillis = ({ headers, status }: Answer): number | undefined => {
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
    if (answer.status === 0) connectionsLost.add(1)
    const waitMillis = answer.status === 0 ? pauseAfterLossMillis : askedToWaitMillis(answer)
    if (waitMillis === undefined) {
      unexpected(answer, call)
      return undefined
    }
    await pause(waitMillis)
  }
  fault(`${call.method} ${call.route} had no answer after ${asksMax} times`)
  return undefined
}
