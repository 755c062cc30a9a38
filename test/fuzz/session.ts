/**
 * Runs a sequence of steps against the server, one request after the other, and says what was wrong with the first
 * answer that was. Must stay true: a sequence depends on its world alone, so that it can be run again in a new one while
 * it is shrunk.
 */
import type { Answer, Client } from "./client.ts"
import type { Contract, Operation } from "./contract.ts"
import type { Coverage } from "./coverage.ts"
import { draftOf } from "./draft.ts"
import type { makeJudge } from "./judge.ts"
import { headersNamed, pathOf, type Request } from "./request.ts"
import type { Exchange } from "./script.ts"
import type { Flaw, Step } from "./steps.ts"
import type { Caller, World } from "./world.ts"

export interface Fault {
  readonly sentences: ReadonlyArray<string>
  readonly step: Step
  readonly answer: Answer | undefined
  readonly exchanges: ReadonlyArray<Exchange>
  readonly world: World
}

interface Session {
  readonly client: Client
  readonly contract: Contract
  readonly coverage: Coverage
  readonly judge: ReturnType<typeof makeJudge>
  readonly signInAgain: (caller: Caller) => Promise<Caller>
}

const brokenBy = (request: Request, flaw: Flaw | undefined): Request =>
  flaw?.on === "request" ? flaw.breakage.broken(request) : request

/** A repeat of what was done under a key is the same answer, and says so, where the document promises it. */
const repeatFaults = (operation: Operation, request: Request, first: Answer, second: Answer): ReadonlyArray<string> => {
  const documented = operation.answers.get(first.status)
  if (documented?.headers["idempotency-replayed"] === undefined) return []
  const [key] = headersNamed(request, "idempotency-key")
  if (key === undefined || second.status === 503 || second.status === 429) return []
  if (/[?&]dryRun=true/.test(request.target)) return []
  if (second.status !== first.status) return [`its repeat is answered with ${second.status} after ${first.status}`]
  if (second.headers.get("idempotency-replayed")?.[0] !== "true") return ["its repeat does not say that it is one"]
  const id = (answer: Answer) => /"id":"[^"]+"/.exec(answer.text)?.[0]
  return id(first) === id(second) ? [] : ["its repeat did it once more"]
}

export const runSteps = async (
  { client, contract, coverage, judge, signInAgain }: Session,
  world: World,
  steps: ReadonlyArray<Step>,
): Promise<Fault | undefined> => {
  const exchanges: Array<Exchange> = []

  const exchange = async (request: Request, step: Step): Promise<Answer | undefined> => {
    const { flaw } = step
    const bytes = flaw?.on === "wire" ? flaw.breakage.bytes(request) : undefined
    const before = new Set(world.names().map(([, name]) => name))
    const answer =
      bytes === undefined ? await client.send(request) : await client.sendBytes(bytes, request.method === "HEAD")
    const asked = contract.operationOf(request.method === "HEAD" ? "GET" : request.method, pathOf(request))
    coverage.add((bytes === undefined ? asked?.id : undefined) ?? "(no operation)", answer?.status ?? 0)
    if (answer !== undefined && asked !== undefined && answer.status < 300) {
      world.learn(asked, pathOf(request), answer.headers, judge.parsed(answer))
    }
    const ids: ReadonlyArray<string> = answer?.text.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? []
    const told = world
      .names()
      .filter(([, name]) => !before.has(name))
      .map(([id, name]) => ({ name, nth: ids.indexOf(id) + 1 }))
    exchanges.push({ request, bytes, told })
    return answer
  }

  for (const step of steps) {
    const { body, flaw, operation, role } = step
    const draft = draftOf(step, world)
    const request = brokenBy(draft.request, flaw)
    const isWhole = flaw === undefined || flaw.on === "field" || flaw.on === "parameter"
    const text = draft.request.body?.toString("utf8")
    const fits = isWhole
      ? judge.fitsDocument(
          operation,
          draft.sent,
          body === undefined || text === undefined ? undefined : { type: body.type, text },
        )
      : undefined
    const faultsOf = (answer: Answer | undefined): ReadonlyArray<string> => {
      if (answer === undefined) return flaw?.on === "wire" ? [] : ["it is not answered at all"]
      return judge.faultsOf({ request, answer, isBroken: flaw?.on === "request", isRaw: flaw?.on === "wire", fits })
    }
    const fault = (sentences: ReadonlyArray<string>, answer: Answer | undefined): Fault | undefined =>
      sentences.length === 0 ? undefined : { sentences, step, answer, exchanges, world }

    // oxlint-disable-next-line no-await-in-loop -- a sequence is one request after the other
    const answer = await exchange(request, step)
    const found = fault(faultsOf(answer), answer)
    if (found !== undefined) return found
    const repeats = flaw?.on === "wire" ? 0 : step.repeats
    for (let repeat = 0; repeat < repeats; repeat++) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      const next = await exchange(request, step)
      const wrong = [...faultsOf(next), ...(answer && next ? repeatFaults(operation, request, answer, next) : [])]
      const foundNow = fault(wrong, next)
      if (foundNow !== undefined) return foundNow
    }
    if (operation.needsToken && role !== "anyone" && (answer?.status === 401 || operation.path.includes("/sessions"))) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      world.callers[role] = await signInAgain(world.callers[role])
    }
  }
  return undefined
}
