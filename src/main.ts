/**
 * The command line. A command that cannot do its work says so in one sentence and exits with 1; what else fails is a
 * defect of ours and is shown whole. Each command is a module of its own under src/commands and joins the list here.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Effect, Exit, Runtime } from "effect"
import { Command } from "effect/cli"
import { existsSync } from "node:fs"
import packageJson from "../package.json" with { type: "json" }
import { demoCommand } from "./commands/demo.ts"
import { loadCommand } from "./commands/load.ts"
import { migrateCommand } from "./commands/migrate.ts"
import { paymentSimulatorCommand } from "./commands/paymentSimulator.ts"
import { seedCommand } from "./commands/seed.ts"
import { serveCommand } from "./commands/serve.ts"
import { verifyCommand } from "./commands/verify.ts"
import { CannotStart } from "./platform/CannotStart.ts"

// Before anything reads the environment, which wins where both have a name.
if (existsSync(".env")) process.loadEnvFile(".env")

const teardown: Runtime.Teardown = (exit, onExit) => {
  const interrupted = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
  if (interrupted && process.exitCode === 0) return onExit(0)
  return Runtime.defaultTeardown(exit, onExit)
}

Command.make("hedonify").pipe(
  Command.withDescription("Sells limited stock to a crowd and never sells a unit twice."),
  Command.withSubcommands([
    serveCommand,
    migrateCommand,
    seedCommand,
    verifyCommand,
    demoCommand,
    loadCommand,
    paymentSimulatorCommand,
  ]),
  Command.run({ version: packageJson.version }),
  Effect.tapError((error) => (error instanceof CannotStart ? Console.error(error.message) : Effect.void)),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ teardown }),
)
