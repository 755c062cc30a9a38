/**
 * The relay: tells receivers what happened. Must stay true: a delivery counts as done only after its receiver accepted
 * it and that is written down, so that a crash in between tells it again under the same id; of one order the next is
 * sent only after the one before was accepted or is dead (a dead one keeps nobody waiting: it failed for half a day, and
 * can be replayed); and one webhook is served by one relay at a time, so that two never overtake each other.
 *
 * A relay has a webhook by a lease in its row, for one turn that ends well before the lease: whatever happens to the
 * process, the webhook is free again by itself. Tried and lost: a session's advisory lock for each webhook. It is free
 * at once after a crash, and costs a connection, whose loss has to be noticed before each attempt.
 */
import { Clock, Context, Effect, Exit, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient, type SqlError } from "effect/sql"
import { Events } from "../events/Events.ts"
import * as statements from "./deliveryStatements.ts"
import { makeFanOut } from "./fanOut.ts"
import { pauseAfter } from "./retries.ts"
import { type Answer, Sender } from "./Sender.ts"
import { signedHeaders } from "./signing.ts"
import { measured } from "../platform/measured.ts"
import { noted, spanned, traceHeaders, wantTrace } from "../platform/tracing/spans.ts"
import type { WebhookId } from "./webhook.ts"
import { deliveriesAtOnceMax, failingMaxMillis, turnMaxMillis } from "./webhookBounds.ts"

export class Relay extends Context.Service<
  Relay,
  {
    /** Takes up what the log has for webhooks; whether there is more of it at once. */
    readonly readOn: Effect.Effect<boolean, unknown>
    /** So many webhooks with something due, which are this relay's for a turn now. */
    readonly claim: (webhooksMax: number) => Effect.Effect<ReadonlyArray<WebhookId>, SqlError.SqlError>
    /** Delivers what is due to a claimed webhook, for a while, and lets go of it. */
    readonly serve: (webhookId: WebhookId) => Effect.Effect<void, SqlError.SqlError>
  }
>()("hedonify/webhooks/Relay") {
  static readonly layer = Layer.effect(
    Relay,
    Effect.suspend(() => make),
  )
}

/** Told of each attempt; nobody listens unless the composition root says who. */
export interface RelayListener {
  readonly attempted: (isDelivered: boolean, seconds: number) => void
}
export const RelayListener = Context.Reference<RelayListener>("hedonify/webhooks/RelayListener", {
  defaultValue: () => ({ attempted: () => {} }),
})

const isAccepted = (answer: Answer): boolean =>
  answer._tag === "Answered" && answer.status >= 200 && answer.status < 300

const errorOf = (answer: Answer): string => {
  if (answer._tag === "Unanswered") return answer.reason
  return answer.status >= 300 && answer.status < 400 ? "redirects are not followed" : "it was not accepted"
}

const goneStatus = 410

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const sender = yield* Sender
  const listener = yield* RelayListener
  const relayId = SecureRandom.uuidV4Unsafe()

  /** Sends one delivery and writes down what came of it; whether the webhook is still turned on. */
  const attempt = Effect.fnUntraced(
    function* (receiver: statements.Receiver, delivery: statements.DueDelivery) {
      const nowMillis = yield* Clock.currentTimeMillis
      const secrets = receiver.previousSecret === null ? [receiver.secret] : [receiver.secret, receiver.previousSecret]
      const signed = signedHeaders(secrets, delivery.eventId, nowMillis, delivery.payload)
      const headers = { ...signed, ...(yield* traceHeaders) }
      const answer = yield* measured(sender.post(receiver.url, headers, delivery.payload), (exit, seconds) =>
        listener.attempted(Exit.isSuccess(exit) && isAccepted(exit.value), seconds),
      )
      const status = answer._tag === "Answered" ? answer.status : null
      yield* noted(() => ({
        "hedonify.webhook.id": receiver.id,
        "hedonify.event.id": delivery.eventId,
        "hedonify.webhook.attempt": delivery.attempts + 1,
        "http.request.method": "POST",
        ...(status === null ? { "error.type": "unanswered" } : { "http.response.status_code": status }),
      }))
      if (isAccepted(answer)) {
        yield* statements.recordSuccess(sql, receiver.id, delivery.id, status)
        return true
      }
      yield* wantTrace
      const leftAloneMillis = answer._tag === "Answered" ? answer.retryAfterMillis : 0
      const pauseMillis = yield* pauseAfter(delivery.attempts + 1, leftAloneMillis)
      yield* statements.recordFailure(sql, receiver.id, delivery.id, { status, error: errorOf(answer), pauseMillis })
      const isOff = yield* status === goneStatus
        ? statements.turnOff(sql, receiver.id, "gone", 0)
        : statements.turnOff(sql, receiver.id, "failing", failingMaxMillis)
      if (isOff)
        yield* Effect.logWarning("A webhook was turned off").pipe(
          Effect.annotateLogs({ webhookId: receiver.id, status }),
        )
      return !isOff && status !== goneStatus
    },
    spanned("webhook.attempt", { kind: "producer", root: true }),
  )

  const turn = Effect.fnUntraced(function* (webhookId: WebhookId) {
    const endMillis = (yield* Clock.currentTimeMillis) + turnMaxMillis
    while ((yield* Clock.currentTimeMillis) < endMillis) {
      const receiver = yield* statements.receiverOf(sql, webhookId)
      if (receiver === null) return
      const due = yield* statements.dueDeliveries(sql, webhookId)
      if (due.length === 0) return
      let isOn = true
      yield* Effect.forEach(
        due,
        Effect.fnUntraced(function* (delivery) {
          if (!isOn || (yield* Clock.currentTimeMillis) >= endMillis) return
          if (!(yield* attempt(receiver, delivery))) isOn = false
        }),
        { concurrency: deliveriesAtOnceMax, discard: true },
      )
      if (!isOn) return
    }
  })

  return Relay.of({
    readOn: makeFanOut(sql, yield* Events),
    claim: (webhooksMax) => statements.claim(sql, relayId, webhooksMax),
    serve: Effect.fn("Relay.serve")((webhookId: WebhookId) =>
      Effect.onExit(turn(webhookId), () => Effect.ignore(statements.letGo(sql, relayId, webhookId))),
    ),
  })
})
