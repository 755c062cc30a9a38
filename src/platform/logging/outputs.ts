/**
 * Where lines go: the standard output, and a file beside it where the settings name one.
 *
 * Must stay true: a reader that is slow or gone, and a disk that is full, cost log lines, never an order, and no more
 * memory than `unwrittenMaxBytes` each; what is lost is counted; and an output that works again is written to again.
 * The file and those before it take no more than `sizeMaxBytes` each, and `filesMax` of them are kept: `service.log` is
 * the one being written, `service.log.1` the one before.
 *
 * Tried and lost: pino-roll, whose current file has another name after each turn and never the one in the settings;
 * and rotating-file-stream, which like any stream of Node's is finished by its first error and takes what it cannot
 * write into memory without end. What pino itself writes with can open its file anew, which is all that it takes.
 */
import { Effect } from "effect"
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { pino } from "pino"
import { prettyFactory } from "pino-pretty"
import { cannotStart } from "../CannotStart.ts"

export interface Output {
  readonly write: (line: string) => void
}

export interface FileLimits {
  readonly sizeMaxBytes: number
  readonly filesMax: number
}

/** Bytes waiting for a slow reader; past them lines are dropped. */
const unwrittenMaxBytes = 4 * 1024 * 1024

/** What the end of the service waits for a reader to take the last lines. */
const flushTimeoutMillis = 1_000

const readable = prettyFactory({ colorize: true, ignore: "pid", translateTime: "SYS:HH:MM:ss.l" })

interface Destination extends Output {
  readonly stream: ReturnType<typeof pino.destination>
  readonly isGone: () => boolean
}

const destinationOf = (dest: number | string, sync: boolean, onDrop: () => void): Destination => {
  const stream = pino.destination({
    dest,
    sync,
    mode: 0o640,
    // Each line goes at once; with 0 it would too, but then nobody can wait for the last one.
    minLength: 1,
    maxLength: unwrittenMaxBytes,
  })
  // A full disk or a closed pipe must not become an uncaught exception that ends the sale.
  let isGone = false
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // Of such a pipe pino itself takes leave without a word: nobody will ever read it again.
    if (error.code === "EPIPE") isGone = true
  })
  stream.on("drop", onDrop)
  return { stream, isGone: () => isGone, write: (line) => (isGone ? onDrop() : stream.write(line)) }
}

/** Not flushSync: beside a write that is under way it overtakes it, and the last lines change places. */
const flushed = ({ isGone, stream }: Destination): Effect.Effect<void> =>
  Effect.callback((resume) => (isGone() ? resume(Effect.void) : stream.flush(() => resume(Effect.void))))

const closed = ({ stream }: Destination): Effect.Effect<void> =>
  Effect.callback((resume) => {
    stream.once("close", () => resume(Effect.void))
    stream.end()
  })

const withinFlushTime = (written: Effect.Effect<void>): Effect.Effect<void> =>
  written.pipe(Effect.interruptible, Effect.timeoutOption(flushTimeoutMillis), Effect.asVoid)

/** An output that is there already. A person's terminal gets words, and gets them at once. */
export const openDescriptor = (
  { descriptor, isTerminal }: { readonly descriptor: number; readonly isTerminal: boolean },
  onDrop: () => void,
) =>
  Effect.acquireRelease(
    Effect.sync(() => destinationOf(descriptor, isTerminal, onDrop)),
    (destination) => withinFlushTime(flushed(destination)),
  ).pipe(
    Effect.map((destination): Output => ({
      write: (line) => destination.write(isTerminal ? readable(line) : line),
    })),
  )

export const openFile = Effect.fnUntraced(function* (
  path: string,
  { filesMax, sizeMaxBytes }: FileLimits,
  onDrop: () => void,
) {
  let sizeBytes = yield* sizeOnceWritable(path)
  const destination = yield* Effect.acquireRelease(
    Effect.sync(() => destinationOf(path, false, onDrop)),
    // First all of it, since what is ending turns no file any more.
    (opened) => withinFlushTime(Effect.andThen(flushed(opened), closed(opened))),
  )
  destination.stream.on("write", (bytes: number) => {
    sizeBytes += bytes
    if (sizeBytes < sizeMaxBytes) return
    sizeBytes = 0
    moveAside(path, filesMax)
    // Lines that wait are written to the new file, whole ones: this one's last is finished first.
    destination.stream.reopen()
  })
  return destination satisfies Output
})

/** The file's size, once it is known that it can be written. */
const sizeOnceWritable = (path: string) =>
  Effect.try({
    try: () => {
      mkdirSync(dirname(path), { recursive: true })
      const descriptor = openSync(path, "a", 0o640)
      const { size } = fstatSync(descriptor)
      closeSync(descriptor)
      return size
    },
    catch: (error) =>
      cannotStart(
        `HEDONIFY_LOG_FILE: cannot write to ${path} (${error instanceof Error ? error.message : String(error)}).`,
      ),
  })

/** Each file takes the place of the one before it; the oldest goes. Done at once, so that no line comes in between. */
const moveAside = (path: string, filesMax: number): void => {
  const before = Array.from({ length: filesMax - 1 }, (_, index) => `${path}.${index + 1}`).toReversed()
  for (const [index, place] of before.entries()) {
    const from = before[index + 1] ?? path
    try {
      renameSync(from, place)
    } catch {
      // Not there yet; or it cannot be moved, and then the next turn tries again.
    }
  }
  if (before.length === 0) rmSync(path, { force: true })
}
