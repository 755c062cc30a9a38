/** Waits until the link to a Redis that runs is up. */
import { Effect } from "effect"
import { RedisLink } from "../../src/platform/redis/RedisLink.ts"
import { until } from "../process/serviceProcess.ts"

export const connected = Effect.flatMap(RedisLink, ({ isUp }) => until("the link to Redis is up", Effect.sync(isUp)))
