/**
 * The parts of a batch's statement that count customers' units. Must stay true: a row, where there is one, is every live
 * unit of its customer, whether it was counted when it was taken or not.
 */
import type { LineWrite } from "../../domain/batch.ts"
import type { SqlParameters } from "./sqlParameters.ts"

interface CountedLine {
  readonly command: { readonly customer: string; readonly orderId?: string }
  readonly line: LineWrite
  readonly unitsBefore: number
}

export const countedLines = (
  writes: ReadonlyArray<{ readonly command: CountedLine["command"]; readonly lines: ReadonlyArray<LineWrite> }>,
): ReadonlyArray<CountedLine> =>
  writes.flatMap(({ command, lines }) =>
    lines.flatMap((line) => (line.unitsBefore === null ? [] : [{ command, line, unitsBefore: line.unitsBefore }])),
  )

export const countedByOrders = (
  parameters: SqlParameters,
  rows: ReadonlyArray<CountedLine>,
  isConditional: boolean,
): string =>
  `select w.product_id, w.customer, w.units, w.before from lease
  cross join unnest(${parameters.uuids(rows.map((row) => row.command.orderId ?? ""))}, ${parameters.uuids(rows.map((row) => row.line.productId))},
    ${parameters.texts(rows.map((row) => row.command.customer))}, ${parameters.integers(rows.map((row) => row.line.quantity))},
    ${parameters.integers(rows.map((row) => row.unitsBefore))}) as w (order_id, product_id, customer, units, before)
  ${isConditional ? "join placed on placed.id = w.order_id" : ""}`

export const countedByHolds = (parameters: SqlParameters, rows: ReadonlyArray<CountedLine>): string =>
  `select w.product_id, w.customer, w.units, w.before from lease
  cross join unnest(${parameters.uuids(rows.map((row) => row.line.productId))}, ${parameters.texts(rows.map((row) => row.command.customer))},
    ${parameters.integers(rows.map((row) => row.line.quantity))}, ${parameters.integers(rows.map((row) => row.unitsBefore))})
    as w (product_id, customer, units, before)`

/**
 * A count that is there moves; one that is not begins, where units were taken, from what its customer had before. Two
 * statements, since a row that starts from elsewhere than it moves by is nothing that ON CONFLICT can say.
 */
export const units = (changes: ReadonlyArray<string>): ReadonlyArray<string> => [
  `unit_change as materialized (
  select product_id, customer, sum(units)::integer as units, max(before) as before
  from (${changes.join("\n  union all ")}) as single group by product_id, customer
)`,
  `counted as (
  update customer_units u set units = u.units + c.units
  from unit_change c where u.product_id = c.product_id and u.customer = c.customer
  returning u.product_id, u.customer, u.units
)`,
  `first_counted as (
  insert into customer_units (product_id, customer, units)
  select c.product_id, c.customer, c.before + c.units from unit_change c
  where c.units > 0 and c.before is not null
    and (select true from customer_units u where u.product_id = c.product_id and u.customer = c.customer) is null
  returning product_id, customer, units
)`,
  `units_now as (
  select c.product_id, c.customer, coalesce(counted.units, first_counted.units) as units from unit_change c
  left join counted on counted.product_id = c.product_id and counted.customer = c.customer
  left join first_counted on first_counted.product_id = c.product_id and first_counted.customer = c.customer
)`,
]
