/**
 * Runs another program to its end and hands back what it printed. It exists beside Effect's own ChildProcess because
 * PostgreSQL refuses to run as root: its programs must be started with another user's id, which only node:child_process
 * can do. The environment is made here from nothing, so that no PG* variable of the caller reaches a server.
 */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { type CannotStart, cannotStart } from "../CannotStart.ts"

/** Who runs a program: nothing for ourselves, ids where root steps down. */
export interface RunAs {
  readonly uid?: number
  readonly gid?: number
}

export interface ProgramResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** PATH for the shell pg_ctl starts the server with; C so that messages are the ones we know. */
const environment = { PATH: process.env["PATH"] ?? "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C" }

export const runProgram = (
  program: string,
  args: ReadonlyArray<string>,
  options: { readonly runAs?: RunAs; readonly workingDirectory?: string } = {},
): Effect.Effect<ProgramResult, CannotStart> =>
  Effect.callback<ProgramResult, CannotStart>((resume) => {
    const child = spawn(program, args, {
      ...options.runAs,
      cwd: options.workingDirectory ?? "/",
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk))
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk))
    child.once("error", (error) => resume(Effect.fail(cannotStart(`${program} cannot be run: ${error.message}.`))))
    child.once("close", (exitCode) => resume(Effect.succeed({ exitCode: exitCode ?? 1, stdout, stderr })))
  })
