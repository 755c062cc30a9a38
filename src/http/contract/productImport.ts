/**
 * A merchant's import as a caller sees it: many products in one body, each with a result of its own.
 */
import { Schema } from "effect"
import { HttpApiSchema } from "effect/http-api"
import { bodySizeMaxBytes, importBodySizeMaxBytes, importRowErrorsMax, importRowsMax } from "../../domain/bounds.ts"
import { ProductId } from "../../domain/ids.ts"

export const csvMediaType = "text/csv"
export const ndjsonMediaTypes = ["application/x-ndjson", "application/ndjson"] as const

/** The columns of a CSV, and where each one belongs in the body of `POST /v1/products`. */
export const importColumns: Readonly<Record<string, readonly [field: string, inner?: string]>> = {
  name: ["name"],
  description: ["description"],
  "price.amount": ["price", "amount"],
  "price.currency": ["price", "currency"],
  priceAmount: ["price", "amount"],
  currency: ["price", "currency"],
  stock: ["stock"],
  merchantId: ["merchantId"],
  limitPerCustomer: ["limitPerCustomer"],
  saleStartsAt: ["saleStartsAt"],
  paused: ["paused"],
  waitlist: ["waitlist"],
  reservationTtlSeconds: ["reservationTtlSeconds"],
  stockGroup: ["stockGroup"],
  imageUrl: ["imageUrl"],
}

export const importDescription = `Each row adds a product, with the fields of \`POST /v1/products\`. A row that does not fit
fails alone. Up to ${importRowsMax} rows and ${importBodySizeMaxBytes / 1024 / 1024} MiB, in UTF-8.

\`application/x-ndjson\` has one JSON object a line, of at most ${bodySizeMaxBytes / 1024} KiB. \`text/csv\` (RFC 4180, with commas) begins with a header of these
columns in any order: ${Object.keys(importColumns).join(", ")}.
\`name\`, the price's amount and currency (under either of their names) and \`stock\` are required, any other column is
refused; an empty cell is a field that was not sent. Blank lines are passed over.

The key stands for the body. The same import sent again, even after a crash in its midst, goes on where it ended and
answers the result of the first; products are created in the order of their rows. Where it answers 503
\`outcome_unknown\`, some rows may have been created: send it again.`

export const ImportResult = Schema.Struct({
  row: Schema.Int.annotate({ description: "From 1, without the header and blank lines." }),
  status: Schema.Literals(["created", "valid", "failed"]).annotate({
    description: "valid: a dry run would create it.",
  }),
  productId: Schema.optionalKey(ProductId),
  errors: Schema.optionalKey(
    Schema.Array(Schema.Struct({ pointer: Schema.String, message: Schema.String })).annotate({
      description: `What does not fit, by JSON Pointer into the row's product; at most ${importRowErrorsMax}.`,
    }),
  ),
}).annotate({ identifier: "ImportResult" })

export const ImportOutcome = Schema.Struct({
  dryRun: Schema.Boolean,
  rows: Schema.Int,
  created: Schema.Int,
  failed: Schema.Int,
  results: Schema.Array(ImportResult).annotate({ description: "One a row, in their order." }),
}).annotate({ identifier: "ProductImport" })

export const importPayload = [csvMediaType, ...ndjsonMediaTypes].map((contentType) =>
  Schema.String.annotate({ description: "See the description." }).pipe(HttpApiSchema.asText({ contentType })),
)
