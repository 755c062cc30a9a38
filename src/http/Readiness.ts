/**
 * Whether the service can serve now. Must stay true: once draining has begun it never says yes again, so that a load
 * balancer sends nobody to a door that is closing. What must be well is registered by whoever composes the service.
 */
import { Context, Effect, Layer } from "effect"

export interface Missing {
  readonly name: string
  readonly detail: string
}

/** Says "ok", or in words what is not; bounded in time by whoever provides it. */
export type ReadinessCheck = Effect.Effect<string>

export class Readiness extends Context.Service<
  Readiness,
  {
    /** What is missing; nothing when the service can serve. */
    readonly missing: Effect.Effect<ReadonlyArray<Missing>>
    /** What would help and is away, while the service can serve. */
    readonly without: () => ReadonlyArray<Missing>
    readonly beginDrain: Effect.Effect<void>
    readonly isDraining: () => boolean
  }
>()("hedonify/http/Readiness") {
  /**
   * `checks` are what the service cannot serve without, by their names; all are asked at each look, at once. `without`
   * is asked at each look, too: what is away and only makes the service slower, which never makes it unready; it must
   * answer at once, from what is known.
   */
  static readonly layer = (
    checks: Readonly<Record<string, ReadinessCheck>>,
    without: () => ReadonlyArray<Missing> = () => [],
  ) =>
    Layer.sync(Readiness, () => {
      let draining = false
      const all = Effect.forEach(
        Object.entries(checks),
        ([name, check]) => Effect.map(check, (detail) => ({ name, detail })),
        { concurrency: "unbounded" },
      ).pipe(Effect.map((results) => results.filter((result) => result.detail !== "ok")))
      return Readiness.of({
        missing: Effect.suspend(() => (draining ? Effect.succeed([{ name: "service", detail: "is stopping" }]) : all)),
        beginDrain: Effect.sync(() => {
          draining = true
        }),
        isDraining: () => draining,
        without,
      })
    })
}
