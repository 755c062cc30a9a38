/**
 * How lists are read: `limit` and the id after which to go on, answered with the page and whether there is more.
 */
import { Schema } from "effect"
import { pageSizeDefault, pageSizeMax } from "../../domain/bounds.ts"

export const limitParameter = Schema.optionalKey(
  Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: pageSizeMax })).annotate({
    description: `How many, 1 to ${pageSizeMax}; ${pageSizeDefault} unless given.`,
  }),
)

export const page = <S extends Schema.Top>(item: S) =>
  Schema.Struct({ data: Schema.Array(item), hasMore: Schema.Boolean })
