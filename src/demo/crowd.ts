/**
 * The buyers of a flash sale and how they behave: most wait for their answer, some hang up and press again, some press
 * twice at once. Must stay true: a buyer presses with one key only and goes on until the answer is final, so that what
 * everybody was told can be held against what the service has; and the same seed draws the same crowd.
 */
import { Clock, Effect, Option, Random } from "effect"
import { ShopClient, type OrderAnswer } from "./ShopClient.ts"

export type Temper = "patient" | "impatient" | "twice"

export interface Buyer {
  readonly token: string
  readonly key: string
  readonly quantity: number
  readonly temper: Temper
  /** How long each press is waited for before the buyer hangs up; after the last of them it waits. */
  readonly hangUpsAfterMillis: ReadonlyArray<number>
}

export type Told =
  | { readonly _tag: "Bought"; readonly orderId: string; readonly wasReplayed: boolean }
  | { readonly _tag: "Refused"; readonly code: string }
  /** The service never gave a final answer while the buyer had patience. */
  | { readonly _tag: "Nothing" }

/** What happened to one buyer: an answer for each finger on the button. */
export interface Visit {
  readonly buyer: Buyer
  readonly told: ReadonlyArray<Told>
  readonly busyAnswers: number
  readonly hangUps: number
  readonly lostConnections: number
  readonly latenciesMillis: ReadonlyArray<number>
}

/** Presses of one finger; at a second's pause each, more than any overload of a demo lasts. */
const pressesMax = 60
const pauseAfterLossMillis = 250
const hangUpMinMillis = 2
const hangUpMaxMillis = 150

/** Most want one or two; the few who want many make the last units hard to sell. */
const quantities = [1, 1, 1, 1, 2, 2, 2, 3, 4, 6] as const
const tempers: ReadonlyArray<Temper> = [
  "patient",
  "patient",
  "patient",
  "patient",
  "patient",
  "patient",
  "impatient",
  "impatient",
  "impatient",
  "twice",
]

/** Draws the crowd; accounts are shared when there are fewer than buyers, keys never. */
export const drawCrowd = (options: {
  readonly buyers: number
  readonly tokens: ReadonlyArray<string>
  readonly keyPrefix: string
  readonly seed: number
}) =>
  Effect.forEach(
    Array.from({ length: options.buyers }, (_, index) => index),
    Effect.fnUntraced(function* (index) {
      const quantity = quantities[yield* Random.nextIntBetween(0, quantities.length, { halfOpen: true })] ?? 1
      const temper = tempers[yield* Random.nextIntBetween(0, tempers.length, { halfOpen: true })] ?? "patient"
      const hangUps = temper === "impatient" ? yield* Random.nextIntBetween(1, 3) : 0
      const hangUpsAfterMillis = yield* Effect.forEach(Array.from({ length: hangUps }), () =>
        Random.nextIntBetween(hangUpMinMillis, hangUpMaxMillis),
      )
      const token = options.tokens[index % options.tokens.length] ?? ""
      return { token, key: `${options.keyPrefix}-${index}`, quantity, temper, hangUpsAfterMillis } satisfies Buyer
    }),
  ).pipe(Random.withSeed(options.seed))

const toldBy = (answer: OrderAnswer): Told | undefined => {
  if (answer._tag === "Placed") return { _tag: "Bought", orderId: answer.orderId, wasReplayed: answer.isReplayed }
  if (answer._tag === "Refused" && answer.isFinal) return { _tag: "Refused", code: answer.code }
  return undefined
}

const pauseOf = (answer: OrderAnswer): number =>
  answer._tag === "AskAgain" ? answer.afterMillis : pauseAfterLossMillis

/** One finger on the button until it has a final answer. */
const press = Effect.fnUntraced(function* (buyer: Buyer, productId: string, pressed: Pressed) {
  const client = yield* ShopClient
  const { hangUpsAfterMillis, key, quantity, token } = buyer
  for (let attempt = 0; attempt < pressesMax; attempt++) {
    const startedAt = yield* Clock.monotonicTimeNanos
    const patienceMillis = hangUpsAfterMillis[attempt]
    const place = client.place({ token, key, productId, quantity })
    const answer =
      patienceMillis === undefined
        ? yield* place
        : yield* Effect.map(Effect.timeoutOption(place, patienceMillis), Option.getOrUndefined)
    if (answer === undefined) {
      pressed.hangUps += 1
      continue
    }
    if (answer._tag === "Lost") pressed.lostConnections += 1
    else pressed.latenciesMillis.push(Number((yield* Clock.monotonicTimeNanos) - startedAt) / 1e6)
    if (answer._tag === "AskAgain") pressed.busyAnswers += 1
    const told = toldBy(answer)
    if (told !== undefined) return told
    yield* Effect.sleep(pauseOf(answer))
  }
  return { _tag: "Nothing" } satisfies Told
})

interface Pressed {
  busyAnswers: number
  hangUps: number
  lostConnections: number
  readonly latenciesMillis: Array<number>
}

/** Everything one buyer does. */
export const visit = Effect.fnUntraced(function* (buyer: Buyer, productId: string) {
  const pressed: Pressed = { busyAnswers: 0, hangUps: 0, lostConnections: 0, latenciesMillis: [] }
  const finger = press(buyer, productId, pressed)
  const told: ReadonlyArray<Told> = yield* buyer.temper === "twice"
    ? Effect.all([finger, finger], { concurrency: 2 })
    : Effect.all([finger])
  return { ...pressed, buyer, told } satisfies Visit
})
