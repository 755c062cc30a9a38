import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Redacted } from "effect"
import { Passwords } from "../../src/accounts/Passwords.ts"
import { TokenSecret } from "../../src/accounts/TokenSecret.ts"
import { Configuration } from "../../src/platform/Configuration.ts"

const secretIn = (folder: string) =>
  Effect.map(TokenSecret, (secret) => Buffer.from(Redacted.value(secret)).toString()).pipe(
    Effect.provide(Layer.provide(TokenSecret.layer, Configuration.layerOf({ HEDONIFY_DATA_DIR: folder }))),
  )

it.live("a secret that nobody set is made once, kept for its owner alone, and the same for all who start at once", () =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const folder = `${yield* files.makeTempDirectoryScoped()}/data`
    const secrets = yield* Effect.forEach(Array.from({ length: 10 }), () => secretIn(folder), {
      concurrency: "unbounded",
    })
    assert.strictEqual(new Set(secrets).size, 1)
    assert.isAtLeast(String(secrets[0]).length, 43)
    assert.strictEqual(yield* secretIn(folder), secrets[0])
    const { mode } = yield* files.stat(`${folder}/token-secret`)
    assert.strictEqual(mode & 0o777, 0o600)
    assert.deepStrictEqual(yield* files.readDirectory(folder), ["token-secret"])
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
)

it.live("passwords are hashed with Argon2id at OWASP's cost, each with its own salt", () =>
  Effect.gen(function* () {
    const passwords = yield* Passwords
    const password = Redacted.make("päßwörd 123")
    const first = yield* passwords.hash(password)
    const second = yield* passwords.hash(password)
    assert.match(first, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    assert.notStrictEqual(first, second)
    assert.isTrue(yield* passwords.verify(first, password))
    assert.isTrue(yield* passwords.verify(first, Redacted.make("päßwörd 123".normalize("NFD"))))
    assert.isFalse(yield* passwords.verify(first, Redacted.make("something else")))
    assert.isFalse(yield* passwords.verify(null, Redacted.make("a password that nobody has")))
  }).pipe(Effect.provide(Passwords.layer)),
)

it.live("a crowd at the sign-in door is told to come back instead of eating the memory", () =>
  Effect.gen(function* () {
    const passwords = yield* Passwords
    const answers = yield* Effect.forEach(
      Array.from({ length: 200 }),
      (_, index) => Effect.result(passwords.verify(null, Redacted.make(`guess ${index}`))),
      { concurrency: "unbounded" },
    )
    const refused = answers.filter((answer) => answer._tag === "Failure")
    assert.strictEqual(refused.length, 72)
    assert.deepStrictEqual(refused[0]?._tag === "Failure" ? refused[0].failure : undefined, { code: "busy" })
  }).pipe(Effect.provide(Passwords.layer)),
)
