import { assert, describe, it } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { startService, until, workingFolder } from "../process/serviceProcess.ts"
import { redisIsMissing, redisServer } from "./redisServer.ts"

const readyOf = (url: string) =>
  Effect.promise(async (signal) => {
    const response = await fetch(`${url}/health/ready`, { signal })
    return { status: response.status, body: await response.text() }
  })

const withoutRedis = JSON.stringify({
  status: "ok",
  without: [{ name: "redis", detail: "Redis is away; this process keeps its own counters and caches" }],
})

if (redisIsMissing !== null) console.warn(`A service beside a Redis that goes is not tested: ${redisIsMissing}.`)

describe.skipIf(redisIsMissing !== null)("a service whose Redis goes", () => {
  it.live("stays ready and says so, notices when it is back, and stops while it says nothing", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer
      const folder = yield* workingFolder
      const service = yield* startService(folder, { settings: { REDIS_URL: redis.url } })
      const says = (body: string) => Effect.map(readyOf(service.url), (ready) => ready.body === body)
      yield* until("it has Redis", says('{"status":"ok"}'))
      yield* redis.stop
      yield* until("it misses Redis", says(withoutRedis))
      assert.strictEqual((yield* readyOf(service.url)).status, 200)
      yield* redis.start
      yield* until("it has Redis again", says('{"status":"ok"}'))
      yield* redis.pause
      service.child.kill("SIGTERM")
      const { exitCode } = yield* service.ended
      assert.strictEqual(exitCode, 0)
      const log = readFileSync(`${folder}/service.log`, "utf8")
      assert.lengthOf(log.match(/Redis is away/g) ?? [], 1)
      assert.lengthOf(log.match(/Redis answers/g) ?? [], 2)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  )
})
