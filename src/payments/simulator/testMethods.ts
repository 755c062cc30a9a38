/**
 * The methods that the simulator knows, and how it behaves for each: the one table of them, which `--help` prints.
 */
import type { ChargeStatus } from "../charge.ts"

export interface TestMethod {
  readonly about: string
  /** What becomes of the charge in the end. */
  readonly ends: Extract<ChargeStatus, "succeeded" | "declined">
  readonly declineCode?: string
  /** When: as it is asked for, a moment later, or long after its order's time, unless somebody ends it before. */
  readonly when: "atOnce" | "soon" | "late"
  /** What the first requests come to, before anything is charged. */
  readonly firstRequests?: { readonly count: number; readonly are: "unanswered" | "failed" }
  /** The first answer after the charge never comes. */
  readonly losesFirstAnswer?: true
  /** How it is told of: once, three times at once, or the end before the beginning. */
  readonly told: "once" | "threeTimes" | "endFirst"
}

export const testMethods: Readonly<Record<string, TestMethod>> = {
  success: { about: "is charged at once", ends: "succeeded", when: "atOnce", told: "once" },
  declined: {
    about: "is declined at once",
    ends: "declined",
    declineCode: "card_declined",
    when: "atOnce",
    told: "once",
  },
  insufficient_funds: {
    about: "is declined at once, for want of money",
    ends: "declined",
    declineCode: "insufficient_funds",
    when: "atOnce",
    told: "once",
  },
  delayed: {
    about: "is charged a moment later, and told by a callback",
    ends: "succeeded",
    when: "soon",
    told: "once",
  },
  delayed_declined: {
    about: "is declined a moment later, and told by a callback",
    ends: "declined",
    declineCode: "card_declined",
    when: "soon",
    told: "once",
  },
  timeout_after_charging: {
    about: "is charged at once; the first answer does not come",
    ends: "succeeded",
    when: "atOnce",
    losesFirstAnswer: true,
    told: "once",
  },
  timeout_before_charging: {
    about: "the first request comes to nothing and has no answer; the next one is charged",
    ends: "succeeded",
    when: "atOnce",
    firstRequests: { count: 1, are: "unanswered" },
    told: "once",
  },
  server_error: {
    about: "the first two requests are answered with 500 and come to nothing; the next one is charged",
    ends: "succeeded",
    when: "atOnce",
    firstRequests: { count: 2, are: "failed" },
    told: "once",
  },
  duplicate_callbacks: {
    about: "is charged a moment later, and told three times at once",
    ends: "succeeded",
    when: "soon",
    told: "threeTimes",
  },
  callbacks_out_of_order: {
    about: "is charged a moment later; its end is told before its beginning",
    ends: "succeeded",
    when: "soon",
    told: "endFirst",
  },
  late_success: {
    about: "is charged long after its order's time, or as soon as somebody wants to end it",
    ends: "succeeded",
    when: "late",
    told: "once",
  },
}

export const testMethodLines: ReadonlyArray<string> = Object.entries(testMethods).map(
  ([name, { about }]) =>
    `  ${name.padEnd(Math.max(...Object.keys(testMethods).map(({ length }) => length)))}  ${about}`,
)
