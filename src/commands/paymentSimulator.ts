/**
 * `hedonify payment-simulator`: the payment provider's stand-in as a server of its own. It signs its callbacks with the
 * same secret as the service expects, where both read the same settings or the same data folder.
 */
import { Console, Effect, Layer, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { PaymentSecret } from "../payments/PaymentSecret.ts"
import { PaymentSimulator } from "../payments/simulator/server.ts"
import { simulator } from "../payments/simulator/simulators.ts"
import { testMethodLines } from "../payments/simulator/testMethods.ts"
import { cannotStart } from "../platform/CannotStart.ts"
import { Configuration } from "../platform/Configuration.ts"

const portDefault = 8090

const announced = (folder: string, callbackUrl: Option.Option<string>) =>
  Layer.effectDiscard(
    Effect.flatMap(PaymentSimulator, ({ url }) =>
      Console.log(
        [
          `The payment simulator serves ${url}`,
          `  ledger     ${folder}, and GET ${url}/v1/ledger`,
          `  callbacks  ${Option.getOrElse(callbackUrl, () => "none: --callback-url names where to")}`,
          "  methods",
          ...testMethodLines.map((line) => `  ${line}`),
        ].join("\n"),
      ),
    ),
  )

const flags = {
  port: Flag.Int("port").pipe(
    Flag.withDescription("Where to listen on this machine; 0 picks a free port and prints it"),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
    Flag.withDefault(portDefault),
  ),
  data: Flag.String("data").pipe(
    Flag.withDescription("The folder of its ledger, which outlives it"),
    Flag.withDefault(".data/payment-simulator"),
  ),
  callbackUrl: Flag.String("callback-url").pipe(
    Flag.withDescription("Whom to tell what became of charges, such as http://127.0.0.1:8080/v1/payments/callback"),
    Flag.withSchema(Schema.String.check(Schema.isPattern(/^https?:\/\/\S+$/))),
    Flag.optional,
  ),
}

const run = ({ callbackUrl, data, port }: { callbackUrl: Option.Option<string>; data: string; port: number }) =>
  announced(data, callbackUrl).pipe(
    Layer.provide(
      Layer.unwrap(
        Effect.map(PaymentSecret, (secret) =>
          simulator({ port, folder: data, secret, callbackUrl: Effect.succeed(callbackUrl) }),
        ),
      ),
    ),
    Layer.provide(PaymentSecret.layer),
    Layer.provide(Configuration.layer),
    Layer.launch,
    Effect.catchTag("PlatformError", ({ message }) =>
      Effect.fail(cannotStart(`The payment simulator cannot keep its ledger in ${data}: ${message}.`)),
    ),
    // Told to stop, it stopped as it should.
    Effect.onInterrupt(() => Effect.sync(() => (process.exitCode = 0))),
  )

export const paymentSimulatorCommand = Command.make("payment-simulator", flags, run).pipe(
  Command.withDescription(
    [
      "Stand in for a payment provider: HTTP, signed callbacks, and a method for each way to fail:",
      ...testMethodLines,
    ].join("\n"),
  ),
  Command.withShortDescription("Stand in for a payment provider, with a method for each way to fail"),
)
