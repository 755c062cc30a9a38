/**
 * Sends one request to a receiver. Must stay true: the connection goes to one of the addresses that were judged for this
 * very attempt, no redirect is followed, no proxy of the environment is used, and of an answer only the status is told,
 * so that whoever may name a URL learns nothing of what lies behind it.
 *
 * Connections are not kept: one that is reused was judged when it was made, and a receiver that closed it meanwhile
 * makes an attempt fail for nothing.
 */
import { Context, Effect, Layer } from "effect"
import { type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { isIP, type LookupFunction } from "node:net"
import { Names } from "./Names.ts"
import {
  forbiddenAddress,
  type InsecureTargets,
  isAllowedAddress,
  type Target,
  targetOf,
  type TargetRefused,
} from "./targets.ts"
import {
  answerBodyMaxBytes,
  answerBodyMaxMillis,
  answerHeadMaxBytes,
  attemptMaxMillis,
  retryAfterMaxMillis,
} from "./webhookBounds.ts"

export type Answer =
  /** `retryAfterMillis`: how long it asked to be left alone, 0 where it did not. */
  | { readonly _tag: "Answered"; readonly status: number; readonly retryAfterMillis: number }
  | { readonly _tag: "Unanswered"; readonly reason: string }

export class Sender extends Context.Service<
  Sender,
  {
    /** Sends a JSON body, and waits no longer than `attemptMaxMillis` for the head of the answer. */
    readonly post: (url: string, headers: Readonly<Record<string, string>>, body: string) => Effect.Effect<Answer>
    /** Whether something may be sent there now. A name that nobody knows yet may be known later. */
    readonly judge: (url: string) => Effect.Effect<void, TargetRefused>
  }
>()("hedonify/webhooks/Sender") {
  static readonly layer = (insecure: InsecureTargets, timeLimitMillis: number = attemptMaxMillis) =>
    Layer.effect(
      Sender,
      Effect.map(Names, (names) => make(names, insecure, timeLimitMillis)),
    )
}

const make = (names: Names["Service"], insecure: InsecureTargets, timeLimitMillis: number): Sender["Service"] => {
  /** Every address of a name has to be allowed: one that leads inside, too, was not given in good faith. */
  const addressesOf = Effect.fnUntraced(function* (target: Target) {
    if (target._tag === "Address") return [target.address]
    const addresses = yield* names.addressesOf(target.name)
    if (!addresses.every((address) => isAllowedAddress(address, insecure))) return yield* Effect.fail(forbiddenAddress)
    return addresses
  })

  const unanswered = (reason: string) => Effect.succeed<Answer>({ _tag: "Unanswered", reason })

  const post = Effect.fnUntraced(
    function* (url: string, headers: Readonly<Record<string, string>>, body: string) {
      const target = targetOf(url, insecure)
      if (target._tag === "TargetRefused") return yield* Effect.fail(target)
      const addresses = yield* addressesOf(target)
      return yield* exchange(target.url, addresses, headers, body, timeLimitMillis)
    },
    Effect.catchTags({
      NameUnknown: () => unanswered("its name has no address"),
      TargetRefused: ({ message }) => unanswered(`the URL ${message}`),
    }),
  )

  const judge = Effect.fnUntraced(function* (url: string) {
    const target = targetOf(url, insecure)
    if (target._tag === "TargetRefused") return yield* Effect.fail(target)
    yield* addressesOf(target).pipe(Effect.catchTag("NameUnknown", () => Effect.void))
  })

  return { post, judge }
}

/** Answers every look-up of a connection with what was judged. */
const lookupOf = (addresses: ReadonlyArray<string>): LookupFunction => {
  const all = addresses.map((address) => ({ address, family: isIP(address) }))
  return (_name, options, callback) => {
    const [first] = all
    if (options.all === true) callback(null, [...all])
    else callback(null, first?.address ?? "", first?.family ?? 4)
  }
}

/** Sends it and waits for the head of the answer; what comes after the head changes nothing any more. */
const exchange = (
  url: URL,
  addresses: ReadonlyArray<string>,
  headers: Readonly<Record<string, string>>,
  body: string,
  timeLimitMillis: number,
): Effect.Effect<Answer> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const send = url.protocol === "https:" ? requestHttps : requestHttp
      const request = send(url, {
        method: "POST",
        agent: false,
        lookup: lookupOf(addresses),
        maxHeaderSize: answerHeadMaxBytes,
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          "user-agent": "Hedonify-Webhooks/1",
          connection: "close",
          ...headers,
        },
      })
      // An error that nobody waits for any more must not be one of the process.
      return request.on("error", () => {})
    }),
    (request) =>
      Effect.callback<Answer & { readonly response?: IncomingMessage }>((resume) => {
        request.once("error", (error) => resume(Effect.succeed({ _tag: "Unanswered", reason: reasonOf(error) })))
        request.once("response", (response) =>
          resume(
            Effect.succeed({
              _tag: "Answered",
              status: response.statusCode ?? 0,
              retryAfterMillis: retryAfterOf(response.headers["retry-after"]),
              response,
            }),
          ),
        )
        request.end(body)
      }).pipe(
        Effect.timeoutOrElse({ duration: timeLimitMillis, orElse: () => Effect.succeed(tooLate) }),
        Effect.flatMap(({ response, ...answer }) =>
          response === undefined
            ? Effect.succeed(answer)
            : Effect.as(Effect.timeoutOption(heardOut(response), answerBodyMaxMillis), answer),
        ),
      ),
    (request) => Effect.sync(() => request.destroy()),
  )

const tooLate: Answer & { readonly response?: IncomingMessage } = { _tag: "Unanswered", reason: "no answer in time" }

/** In seconds alone: the other form, a date, needs a clock that agrees with ours. */
const retryAfterOf = (header: string | undefined): number =>
  /^\d{1,9}$/.test(header ?? "") ? Math.min(Number(header) * 1_000, retryAfterMaxMillis) : 0

/** A receiver that is cut off while it speaks takes it for a failure of its own; so it may finish, within bounds. */
const heardOut = (response: IncomingMessage): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let readBytes = 0
    const done = () => resume(Effect.void)
    response.on("data", (chunk: Buffer) => {
      readBytes += chunk.length
      if (readBytes > answerBodyMaxBytes) done()
    })
    response.once("end", done).once("error", done).once("close", done)
  })

/** By code alone: an error's own text may name an address. */
const reasonOf = (error: NodeJS.ErrnoException): string => {
  switch (error.code) {
    case "ECONNREFUSED":
      return "the connection was refused"
    case "ECONNRESET":
    case "EPIPE":
      return "the connection was closed"
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "it cannot be reached"
    default:
      return /CERT|TLS|SSL|SELF_SIGNED|ALTNAME|VERIFY/.test(`${error.code} ${error.message}`)
        ? "its certificate is not valid"
        : "the request failed"
  }
}
