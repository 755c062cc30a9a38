/**
 * A secret that nobody set: made once and kept in the data folder, readable by its owner alone. Must stay true: it is
 * never printed, and two processes that start at once end up with one secret.
 */
import { Effect, FileSystem, Path } from "effect"
import { SecureRandom } from "effect/crypto"

/** The file is written aside and then linked into place, since a link either makes the whole file or fails. */
export const keptSecret = Effect.fnUntraced(function* (dataFolder: string, fileName: string, make: () => string) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(dataFolder, fileName)
  if (!(yield* files.exists(file))) {
    yield* files.makeDirectory(dataFolder, { recursive: true })
    const draft = `${file}.${SecureRandom.uuidV7Unsafe()}`
    yield* files.writeFileString(draft, make(), { flag: "wx", mode: 0o600 })
    yield* files.link(draft, file).pipe(Effect.catchReason("PlatformError", "AlreadyExists", () => Effect.void))
    yield* files.remove(draft)
  }
  return yield* files.readFileString(file)
})
