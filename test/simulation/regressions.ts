/**
 * Every seed that ever failed, run before any other. A seed finds what it found only while the scenarios are drawn as
 * they were; where drawing changes, what was found lives on in `plantedBugs`, which puts the mistake back and has to
 * find it.
 */
export interface Regression {
  readonly seed: number
  /** What was wrong, in a sentence. */
  readonly found: string
}

export const regressions: ReadonlyArray<Regression> = [
  { seed: 100_046, found: "the same, from the answer's leaving the shard until the coordinator heard it" },
  {
    seed: 1_549_627_295,
    found: "a retry that came while its first attempt gave back its holds heard a refusal from before it had asked",
  },
]
