/**
 * A webhook and the delivery of one event to it, as their owner sees them. The secret is never among it.
 */
import { Schema } from "effect"
import type { MerchantId } from "../domain/ids.ts"

const uuid = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u, {
    description: "a UUID in lower case",
  }),
)

export const WebhookId = uuid.pipe(Schema.brand("WebhookId"))
export type WebhookId = typeof WebhookId.Type

export const DeliveryId = uuid.pipe(Schema.brand("DeliveryId"))
export type DeliveryId = typeof DeliveryId.Type

/** Why the service turned a webhook off: its receiver said 410, or accepted nothing for days. */
export type DisabledReason = "gone" | "failing"

export interface Webhook {
  readonly id: WebhookId
  /** Null for those of the admins, who are told of everything. */
  readonly merchantId: MerchantId | null
  readonly url: string
  readonly description: string
  /** Empty: all. */
  readonly types: ReadonlyArray<string>
  readonly enabled: boolean
  readonly disabledReason: DisabledReason | null
  readonly createdAtMillis: number
  readonly updatedAtMillis: number
}

export type DeliveryState = "pending" | "succeeded" | "dead"

export interface Delivery {
  readonly id: DeliveryId
  readonly eventId: string
  readonly type: string
  readonly state: DeliveryState
  readonly attempts: number
  readonly createdAtMillis: number
  readonly nextAttemptAtMillis: number | null
  readonly lastAttemptAtMillis: number | null
  /** What the receiver answered the last attempt with, where it did. */
  readonly lastStatus: number | null
  readonly lastError: string | null
}
