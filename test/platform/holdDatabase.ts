/**
 * A process of its own that holds the embedded PostgreSQL of a folder and says so, for tests that kill it.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import * as EmbeddedPostgres from "../../src/platform/embedded/embeddedPostgres.ts"

EmbeddedPostgres.acquire({ dataFolder: process.argv[2] ?? "", fsync: true }).pipe(
  Effect.andThen(Console.log("held")),
  Effect.andThen(Effect.never),
  Effect.scoped,
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain,
)
