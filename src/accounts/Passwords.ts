/**
 * Password hashes: Argon2id at OWASP's recommended cost, off the event loop. Must stay true: at most half the cores
 * hash at once and few callers wait for them, so that a crowd at the sign-in door can neither eat the memory (19 MiB a
 * hash) nor starve the orders; and a sign-in for an address nobody has costs what one for a known address costs.
 */
import { hash as argonHash, verify as argonVerify } from "@node-rs/argon2"
import { Context, Effect, Layer, Option, Redacted, Semaphore } from "effect"
import { availableParallelism } from "node:os"
import { busy, type Busy } from "../domain/refusals.ts"
import {
  passwordHashLanes,
  passwordHashMemoryKibibytes,
  passwordHashPasses,
  passwordHashWaitersMax,
} from "./accountBounds.ts"

const cost = {
  memoryCost: passwordHashMemoryKibibytes,
  timeCost: passwordHashPasses,
  parallelism: passwordHashLanes,
}

/** One password typed on two keyboards must be one string (NIST SP 800-63B asks for a normal form). */
const normalized = (password: Redacted.Redacted): string => Redacted.value(password).normalize("NFKC")

export class Passwords extends Context.Service<
  Passwords,
  {
    readonly hash: (password: Redacted.Redacted) => Effect.Effect<string, Busy>
    /** False also where there is no hash to compare with, after the same work. */
    readonly verify: (storedHash: string | null, password: Redacted.Redacted) => Effect.Effect<boolean, Busy>
  }
>()("hedonify/accounts/Passwords") {
  static readonly layer = Layer.effect(
    Passwords,
    Effect.gen(function* () {
      const running = yield* Semaphore.make(Math.max(1, Math.floor(availableParallelism() / 2)))
      const admitted = yield* Semaphore.make(passwordHashWaitersMax)

      const bounded = <A>(work: Effect.Effect<A>): Effect.Effect<A, Busy> =>
        running
          .withPermit(work)
          .pipe(
            admitted.withPermitsIfAvailable(1),
            Effect.flatMap(Option.match({ onNone: () => Effect.fail(busy), onSome: Effect.succeed })),
          )

      const decoy = yield* Effect.promise(() => argonHash("a password that nobody has", cost))

      return Passwords.of({
        hash: (password) => bounded(Effect.promise((signal) => argonHash(normalized(password), cost, signal))),
        verify: (storedHash, password) =>
          bounded(
            Effect.promise((signal) => argonVerify(storedHash ?? decoy, normalized(password), cost, signal)),
          ).pipe(Effect.map((matches) => matches && storedHash !== null)),
      })
    }),
  )
}
