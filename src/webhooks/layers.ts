/**
 * Webhooks as the settings want them: their service, and the relay that delivers while the layer lives.
 */
import { Effect, Layer } from "effect"
import { Configuration } from "../platform/Configuration.ts"
import { Names } from "./Names.ts"
import { Relay } from "./Relay.ts"
import { relaying } from "./relaying.ts"
import { Sender } from "./Sender.ts"
import { Webhooks } from "./Webhooks.ts"

export const webhooks = Layer.unwrap(
  Effect.map(Configuration, (settings) =>
    Layer.mergeAll(Webhooks.layer, relaying(settings).pipe(Layer.provide(Relay.layer))).pipe(
      Layer.provide(Sender.layer(settings.webhookInsecureTargets)),
      Layer.provide(Names.layer),
    ),
  ),
)
