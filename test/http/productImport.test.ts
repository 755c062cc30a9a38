import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { bodySizeMaxBytes, importsAtOnceMax } from "../../src/domain/bounds.ts"
import { adminToken, type Answer, call, newCustomer, newMerchant, testServer } from "./testServer.ts"

const csv = "text/csv; charset=utf-8"
const ndjson = "application/x-ndjson"

const send = (token: string, key: string, type: string, raw: BodyInit, query = "") =>
  call(`/v1/products/import${query}`, {
    token,
    raw,
    headers: { "content-type": type, "idempotency-key": key },
  })

interface RowResult {
  readonly row: number
  readonly status: string
  readonly productId?: string
  readonly errors?: ReadonlyArray<{ readonly pointer: string; readonly message: string }>
}

const results = (answer: Answer): ReadonlyArray<RowResult> =>
  Array.isArray(answer.body["results"]) ? answer.body["results"] : []

const outcome = (answer: Answer) =>
  results(answer).map(({ errors, status }) => [status, ...new Set((errors ?? []).map(({ pointer }) => pointer))])

const counts = ({ body }: Answer) => [body["dryRun"], body["rows"], body["created"], body["failed"]]

const refused = (answer: Answer) => [answer.status, answer.body["code"]]

const pointers = (answer: Answer): ReadonlyArray<string> => {
  const errors = answer.body["errors"]
  return Array.isArray(errors) ? errors.map((error: { readonly pointer: string }) => error.pointer) : []
}

const names = (merchantId: string) =>
  Effect.map(call(`/v1/products?limit=100&merchantId=${merchantId}`), ({ body }) =>
    (body["data"] as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name),
  )

const productsOf = Effect.fnUntraced(function* (merchantId: string) {
  const sql = yield* SqlClient.SqlClient
  const [count] = yield* sql<{ readonly products: number; readonly complete: number }>`
    select count(*)::integer as products,
      count(*) filter (where s.stocked = s.available and m.delta = s.stocked)::integer as complete
    from products p left join stock s on s.product_id = p.id
    left join stock_movements m on m.product_id = p.id and m.key = 'created'
    where p.merchant_id = ${merchantId}`
  return count
})

const header = "name,price.amount,price.currency,stock"
const lines = (count: number) =>
  [header, ...Array.from({ length: count }, (_, index) => `Row ${index + 1},100,EUR,5`)].join("\n")

layer(testServer, { excludeTestServices: true })("importing products", (it) => {
  it.effect("each row of a CSV adds a product, with quotes, line breaks, a byte order mark and blank lines", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const body = [
        "\ufeffstock,name,description,priceAmount,currency,limitPerCustomer,saleStartsAt,paused,waitlist,reservationTtlSeconds,stockGroup,imageUrl",
        '5,"Lamp, ""the bright one""","Two',
        'lines",1999,EUR,2,2030-01-02T03:04:05Z,TRUE,false,90,lamps,https://example.com/lamp.png',
        "",
        " 0 ,Plain lamp,,0,EUR,,,,,,,",
      ].join("\r\n")
      const answer = yield* send(token, "k", csv, body)
      assert.strictEqual(answer.status, 200, answer.text)
      assert.deepStrictEqual(counts(answer), [false, 2, 2, 0])
      const [first, second] = results(answer)
      const lamp = yield* call(`/v1/products/${first?.productId}`)
      assert.deepStrictEqual(
        { ...lamp.body, createdAt: "", updatedAt: "" },
        {
          id: first?.productId,
          merchantId,
          name: 'Lamp, "the bright one"',
          description: "Two\r\nlines",
          price: { amount: 1999, currency: "EUR" },
          stocked: 5,
          available: 5,
          limitPerCustomer: 2,
          saleStartsAt: "2030-01-02T03:04:05.000Z",
          paused: true,
          archived: false,
          waitlist: false,
          reservationTtlSeconds: 90,
          stockGroup: "lamps",
          imageUrl: "https://example.com/lamp.png",
          version: 1,
          createdAt: "",
          updatedAt: "",
        },
      )
      const plain = yield* call(`/v1/products/${second?.productId}`)
      assert.deepStrictEqual(
        [plain.body["name"], plain.body["stocked"], plain.body["stockGroup"], plain.body["limitPerCustomer"]],
        ["Plain lamp", 0, null, null],
      )
      assert.deepStrictEqual(yield* productsOf(merchantId), { products: 2, complete: 2 })
    }),
  )

  it.effect("a row that does not fit fails alone and says where", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const body = [
        `${header},paused`,
        "First,100,EUR,5,true",
        ",100,EUR,5,",
        "Dear,1.5,EUR,5,",
        "Negative,100,EUR,-5,",
        "Many,100,EUR,1e3,",
        "Odd,100,euro,5,perhaps",
        "Short,100,EUR",
        "Long,100,EUR,5,true,more",
        "'); drop table products; --,100,EUR,5,",
        '"nul\u0000",100,EUR,5,',
        "Last,100,EUR,5,",
      ].join("\n")
      const answer = yield* send(token, "k", csv, body)
      assert.deepStrictEqual(outcome(answer), [
        ["created"],
        ["failed", "/name"],
        ["failed", "/price/amount"],
        ["failed", "/stock"],
        ["failed", "/stock"],
        ["failed", "/price/currency", "/paused"],
        ["failed", ""],
        ["failed", ""],
        ["created"],
        ["failed", "/name"],
        ["created"],
      ])
      assert.deepStrictEqual(counts(answer), [false, 11, 3, 8])
      assert.deepStrictEqual(
        results(answer).map(({ row }) => row),
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
      )
      assert.deepStrictEqual(yield* names(merchantId), ["First", "'); drop table products; --", "Last"])
    }),
  )

  it.effect("each line of NDJSON adds a product, and a broken line fails alone", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const lamp = { name: "Lamp", price: { amount: 100, currency: "EUR" }, stock: 1 }
      const body = [
        JSON.stringify(lamp),
        "{",
        "[]",
        "",
        JSON.stringify({ ...lamp, stock: "1" }),
        "[".repeat(1_000),
        JSON.stringify({ ...lamp, name: "Second", merchantId }),
      ].join("\r\n")
      for (const type of [ndjson, "application/ndjson"]) {
        const answer = yield* send(token, type, type, body)
        const expected = [
          ["created"],
          ["failed", ""],
          ["failed", ""],
          ["failed", "/stock"],
          ["failed", ""],
          ["created"],
        ]
        assert.deepStrictEqual(outcome(answer), expected)
      }
      assert.deepStrictEqual(yield* names(merchantId), ["Lamp", "Second", "Lamp", "Second"])
    }),
  )

  it.effect("a line of NDJSON longer than a product's own body fails alone, unparsed", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const lamp = JSON.stringify({ name: "Lamp", price: { amount: 100, currency: "EUR" }, stock: 1 })
      const body = [
        lamp.padEnd(bodySizeMaxBytes),
        lamp.padEnd(bodySizeMaxBytes + 1),
        "[".repeat(3 * 1024 * 1024),
        lamp,
      ].join("\n")
      const answer = yield* send(token, "k", ndjson, body)
      assert.deepStrictEqual(outcome(answer), [["created"], ["failed", ""], ["failed", ""], ["created"]])
      const tooLong = [{ pointer: "", message: `must have at most ${bodySizeMaxBytes} bytes` }]
      for (const { errors } of results(answer).slice(1, 3)) assert.deepStrictEqual(errors, tooLong)
      assert.deepStrictEqual(yield* names(merchantId), ["Lamp", "Lamp"])
    }),
  )

  it.effect("a dry run tells what would come of each row, changes nothing and leaves its key free", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const body = `${header}\nLamp,100,EUR,5\n,100,EUR,5`
      const dry = yield* send(token, "k", csv, body, "?dryRun=true")
      assert.deepStrictEqual(
        [counts(dry), outcome(dry)],
        [
          [true, 2, 0, 1],
          [["valid"], ["failed", "/name"]],
        ],
      )
      assert.deepStrictEqual(yield* names(merchantId), [])
      const other = yield* send(token, "k", csv, `${body}\nMore,100,EUR,5`, "?dryRun=false")
      assert.deepStrictEqual(counts(other), [false, 3, 2, 1])
      assert.strictEqual(other.headers.get("idempotency-replayed"), null)
    }),
  )

  it.effect("the same import again gives the same result, another one under its key is refused", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { merchantId, token } = merchant
      const body = lines(1_200)
      const first = yield* send(token, "k", csv, body)
      assert.deepStrictEqual(counts(first), [false, 1_200, 1_200, 0])
      const again = yield* send(token, "k", csv, body)
      assert.deepStrictEqual(again.body, first.body)
      assert.strictEqual(again.headers.get("idempotency-replayed"), "true")
      assert.deepStrictEqual(yield* productsOf(merchantId), { products: 1_200, complete: 1_200 })
      const other = [
        send(token, "k", csv, `${body}\nMore,1,EUR,1`),
        send(token, "k", csv, body, `?merchantId=${merchantId}`),
        send(token, "k", ndjson, body),
      ]
      for (const request of other) {
        assert.deepStrictEqual(refused(yield* request), [422, "idempotency_key_reused"])
      }
      assert.deepStrictEqual((yield* names(merchantId)).slice(0, 3), ["Row 1", "Row 2", "Row 3"])
    }),
  )

  it.effect("one import sent several times at once creates its products once", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const body = lines(1_100)
      const answers = yield* Effect.all(
        Array.from({ length: importsAtOnceMax }, () => send(token, "k", csv, body)),
        { concurrency: "unbounded" },
      )
      for (const answer of answers) assert.deepStrictEqual(answer.body, answers[0]?.body)
      assert.deepStrictEqual(yield* productsOf(merchantId), { products: 1_100, complete: 1_100 })
    }),
  )

  it.effect("more imports at once than may be are told to try again, and nothing came of them", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const answers = yield* Effect.forEach(
        Array.from({ length: importsAtOnceMax + 6 }, (_, index) => `crowd-${index}`),
        (key) => send(merchant.token, key, csv, lines(600)),
        { concurrency: "unbounded" },
      )
      const done = answers.filter(({ status }) => status === 200)
      for (const answer of answers.filter(({ status }) => status !== 200)) {
        assert.deepStrictEqual(refused(answer), [503, "busy"])
        assert.strictEqual(answer.headers.get("retry-after"), "1")
      }
      assert.isAtLeast(done.length, importsAtOnceMax)
      const products = 600 * done.length
      assert.deepStrictEqual(yield* productsOf(merchant.merchantId), { products, complete: products })
    }),
  )

  it.effect("an import that was cut off in its midst is finished under its key", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const sql = yield* SqlClient.SqlClient
      const body = lines(1_700)
      const whole = yield* send(token, "k", csv, body)
      // As it is found after a crash between the first chunk and the second.
      yield* sql`delete from import_chunks where chunk > 0 and import_id = (select id from imports order by id desc limit 1)`
      const lost = results(whole)
        .slice(500)
        .map(({ productId }) => productId)
      yield* sql`delete from stock_movements where ${sql.in("product_id", lost)}`
      yield* sql`delete from stock where ${sql.in("product_id", lost)}`
      yield* sql`delete from products where ${sql.in("id", lost)}`
      const finished = yield* send(token, "k", csv, body)
      assert.deepStrictEqual(counts(finished), [false, 1_700, 1_700, 0])
      assert.deepStrictEqual(results(finished).slice(0, 500), results(whole).slice(0, 500))
      assert.strictEqual(finished.headers.get("idempotency-replayed"), null)
      assert.deepStrictEqual(yield* productsOf(merchantId), { products: 1_700, complete: 1_700 })
      assert.deepStrictEqual((yield* send(token, "k", csv, body)).body, finished.body)
    }),
  )

  it.effect("an import that was cut off before it was told is in searches once it is sent again", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const sql = yield* SqlClient.SqlClient
      const found = Effect.map(
        call(`/v1/products?q=row&merchantId=${merchantId}`),
        ({ body }) => (body["data"] as ReadonlyArray<unknown>).length,
      )
      assert.strictEqual(yield* found, 0)
      const [before] = yield* sql<{ readonly generation: string }>`
        select last_value::text as generation from catalogue_generation`
      const body = lines(3)
      assert.deepStrictEqual(counts(yield* send(token, "k", csv, body)), [false, 3, 3, 0])
      // As it is found after a crash between the last chunk and the word of it.
      yield* sql`select setval('catalogue_generation', ${before?.generation ?? ""}::bigint)`
      assert.strictEqual(yield* found, 0)
      yield* send(token, "k", csv, body)
      assert.strictEqual(yield* found, 3)
    }),
  )

  it.effect("ten thousand rows are one import, one more is too many", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const full = yield* send(token, "k", csv, lines(10_000))
      assert.deepStrictEqual([full.status, ...counts(full)], [200, false, 10_000, 10_000, 0])
      assert.deepStrictEqual(yield* productsOf(merchantId), { products: 10_000, complete: 10_000 })
      for (const [type, body] of [
        [csv, lines(10_001)],
        [ndjson, "{}\n".repeat(10_001)],
        [ndjson, "\n".repeat(1_000_000)],
      ] as const) {
        assert.deepStrictEqual(refused(yield* send(token, "k2", type, body)), [422, "invalid"])
      }
      const large = `${header}\n${"x".repeat(4 * 1024 * 1024)},1,EUR,1`
      assert.deepStrictEqual(refused(yield* send(token, "k2", csv, large)), [413, "too_large"])
    }),
  )

  it.effect("a body that cannot be read refuses the import as a whole", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const latin = Buffer.from(`${header}\nLamp\u00e9,100,EUR,5`, "latin1")
      const utf16 = Buffer.from(`\ufeff${header}\nLamp,100,EUR,5`, "utf16le")
      const unread: ReadonlyArray<readonly [string, BodyInit, number, string]> = [
        [csv, latin, 400, "malformed"],
        [ndjson, latin, 400, "malformed"],
        [csv, utf16, 400, "malformed"],
        [csv, `${header}\n"Lamp,100,EUR,5`, 400, "malformed"],
        [csv, `${header}\nLa"mp,100,EUR,5`, 400, "malformed"],
        [csv, `${header}\n${"x".repeat(70_000)},100,EUR,5`, 400, "malformed"],
        [csv, "", 422, "invalid"],
        [csv, header, 422, "invalid"],
        [ndjson, "\n\n", 422, "invalid"],
        ["application/json", "[]", 415, "unsupported_media_type"],
        ["text/csv; charset=latin1", header, 415, "unsupported_media_type"],
        ["text/plain", header, 415, "unsupported_media_type"],
      ]
      for (const [type, body, status, code] of unread) {
        const answer = yield* send(token, "k", type, body)
        assert.deepStrictEqual(refused(answer), [status, code], answer.text)
      }
      const zipped = yield* call("/v1/products/import", {
        token,
        raw: header,
        headers: { "content-type": csv, "content-encoding": "gzip", "idempotency-key": "k" },
      })
      assert.deepStrictEqual(refused(zipped), [415, "unsupported_media_type"])
      assert.deepStrictEqual(yield* names(merchantId), [])
    }),
  )

  it.effect("a header that lacks a column, has one twice or has another is refused by its place", () =>
    Effect.gen(function* () {
      const { token } = yield* newMerchant()
      for (const [head, found] of [
        ["name,stock", ["/header", "/header"]],
        [`${header},prize`, ["/header/4"]],
        [`${header},priceAmount`, ["/header/4"]],
        [`${header},id,version`, ["/header/4", "/header/5"]],
        [header.replaceAll(",", ";"), ["/header/0"]],
        [`${header},__proto__`, ["/header/4"]],
      ] as const) {
        const answer = yield* send(token, "k", csv, `${head}\n1,2,3,4`)
        assert.deepStrictEqual(refused(answer), [422, "invalid"])
        assert.deepStrictEqual(pointers(answer), found)
      }
    }),
  )

  it.effect("a row is for the merchant it names, or the one that the import is for", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = merchant
      const stranger = yield* newMerchant()
      const second = yield* call("/v1/merchants", { token, json: { name: "Second" } })
      const secondId = String(second.body["id"])
      yield* call(`/v1/merchants/${secondId}/approve`, { method: "POST", token: yield* adminToken() })
      const body = [
        `${header},merchantId`,
        `One,1,EUR,1,${merchant.merchantId}`,
        `Two,1,EUR,1,${secondId}`,
        `Three,1,EUR,1,${stranger.merchantId}`,
        "Four,1,EUR,1,",
      ].join("\n")
      const unsaid = yield* send(token, "k", csv, body)
      const foreign = ["failed", "/merchantId"]
      assert.deepStrictEqual(outcome(unsaid), [["created"], ["created"], foreign, foreign])
      const said = yield* send(token, "k2", csv, body, `?merchantId=${secondId}`)
      assert.deepStrictEqual(outcome(said), [["created"], ["created"], foreign, ["created"]])
      assert.deepStrictEqual(yield* names(secondId), ["Two", "Two", "Four"])
      const other = yield* send(token, "k3", csv, body, `?merchantId=${stranger.merchantId}`)
      assert.deepStrictEqual(refused(other), [403, "forbidden"])
    }),
  )

  it.effect("only merchants import, and only with a key", () =>
    Effect.gen(function* () {
      const { token } = yield* newCustomer()
      assert.deepStrictEqual(refused(yield* send(token, "k", csv, lines(1))), [403, "forbidden"])
      assert.deepStrictEqual(refused(yield* send(token, "k", csv, "not looked at")), [403, "forbidden"])
      const path = "/v1/products/import"
      const keyless = yield* call(path, { token, raw: lines(1), headers: { "content-type": csv } })
      assert.deepStrictEqual(refused(keyless), [400, "idempotency_key_missing"])
      assert.strictEqual((yield* call(path, { raw: lines(1), headers: { "content-type": csv } })).status, 401)
    }),
  )
})
