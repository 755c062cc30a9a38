/**
 * The id of the request that a fiber works for, which every line that it writes carries. Whoever answers requests
 * provides it; it is inherited by whatever is done for one.
 */
import { Context } from "effect"

/** What it is where nobody asked for anything: lines of the service's own. */
export const noRequest = "none"

export const RequestId = Context.Reference<string>("hedonify/platform/RequestId", { defaultValue: () => noRequest })
