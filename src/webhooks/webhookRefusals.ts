/**
 * What webhooks answer "no" with beyond what any service does.
 */
import { webhooksOfMerchantMax } from "./webhookBounds.ts"

export type WebhookRefusal =
  /** Nothing may be sent there. `message` tells why, as far as it is the caller's business. */
  | { readonly code: "target_refused"; readonly message: string }
  | { readonly code: "webhooks_full"; readonly allowed: number }

export const targetRefused = (message: string): Extract<WebhookRefusal, { readonly code: "target_refused" }> => ({
  code: "target_refused",
  message,
})
export const webhooksFull: WebhookRefusal = { code: "webhooks_full", allowed: webhooksOfMerchantMax }
