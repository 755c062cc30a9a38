/** Where the metrics are served, or that they are not. */
import { Context, type Option } from "effect"

export class MetricsAddress extends Context.Service<MetricsAddress, Option.Option<string>>()(
  "hedonify/metrics/MetricsAddress",
) {}
