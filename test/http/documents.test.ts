import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { testMethods } from "../../src/payments/simulator/testMethods.ts"
import { call, testServer } from "./testServer.ts"

layer(testServer, { excludeTestServices: true })("documents and health", (it) => {
  it.effect("the OpenAPI document names every path, each status, the limits and one problem schema", () =>
    Effect.gen(function* () {
      const answer = yield* call("/openapi.json")
      assert.strictEqual(answer.status, 200)
      const document = JSON.parse(answer.text)
      assert.match(document.openapi, /^3\.1/)
      for (const path of ["/v1/accounts", "/v1/sessions", "/v1/me", "/v1/merchants", "/v1/products", "/health/ready"]) {
        assert.property(document.paths, path)
      }
      assert.deepStrictEqual(
        Object.keys(document.components.schemas).filter((name) => name.startsWith("Problem")),
        ["Problem"],
      )
      const create = document.paths["/v1/products"].post
      assert.includeMembers(Object.keys(create.responses), [
        "201",
        "400",
        "401",
        "403",
        "413",
        "415",
        "422",
        "500",
        "503",
      ])
      assert.deepStrictEqual(create.security, [{ bearer: [] }])
      const { delete: archive, patch: amend } = document.paths["/v1/products/{id}"]
      for (const edit of [amend, archive]) {
        assert.include(edit.responses["412"].description, "version_mismatch")
        assert.include(edit.responses["428"].description, "if_match_missing")
        const ifMatch = edit.parameters.find(({ name }: { readonly name: string }) => name === "if-match")
        assert.strictEqual(ifMatch.required, true)
      }
      const { requestBody, responses } = document.paths["/v1/products/import"].post
      assert.deepStrictEqual(Object.keys(requestBody.content).sort(), [
        "application/ndjson",
        "application/x-ndjson",
        "text/csv",
      ])
      assert.include(responses["422"].description, "idempotency_key_reused")
      assert.property(create.responses["503"].headers, "Retry-After")
      for (const limit of [
        "100 lines",
        "10000 units",
        "64 KiB",
        "1024 KiB",
        "4096 KiB",
        "10000 rows",
        "1 to 100",
        "1 to 255",
      ]) {
        assert.include(document.info.description.replaceAll("\n", " "), limit)
      }
    }),
  )

  it.effect("the OpenAPI document says what text has to look like and which fields an edit refuses", () =>
    Effect.gen(function* () {
      const { schemas } = JSON.parse((yield* call("/openapi.json")).text).components
      const { name } = schemas.SignUp.properties
      const namePattern = new RegExp(name.pattern, "u")
      for (const fits of ["Someone", "\u{1f600}", "it's; 100%"]) assert.match(fits, namePattern)
      for (const misfit of ["a\u0000b", "line\nbreak", "\u0085", "\ud800"]) assert.notMatch(misfit, namePattern)
      const description = new RegExp(schemas.CreateProduct.properties.description.pattern, "u")
      assert.match("two\nlines", description)
      assert.notMatch("a\u0000b", description)
      assert.strictEqual(schemas.BatchedOrder.properties.idempotencyKey.pattern, "^[\\x20-\\x7e]{1,255}$")
      assert.include(JSON.stringify(schemas.SignUp.properties.email), "@")
      const [saleStart] = schemas.CreateProduct.properties.saleStartsAt.anyOf
      assert.strictEqual(saleStart.format, "date-time")
      assert.match("2026-11-26T08:00:00.000Z", new RegExp(saleStart.pattern, "u"))
      assert.strictEqual(schemas.AmendProduct.minProperties, 1)
      for (const field of ["stock", "stocked", "available", "stockGroup", "merchantId"]) {
        assert.deepStrictEqual(schemas.AmendProduct.properties[field].not, {})
      }
    }),
  )

  it.effect("the OpenAPI document names the methods of payment that the simulator knows", () =>
    Effect.gen(function* () {
      const { schemas } = JSON.parse((yield* call("/openapi.json")).text).components
      for (const method of Object.keys(testMethods)) {
        assert.include(schemas.PayOrder.properties.method.description, `\`${method}\``)
      }
    }),
  )

  it.effect("the docs page needs nothing from elsewhere", () =>
    Effect.gen(function* () {
      const answer = yield* call("/docs")
      assert.strictEqual(answer.status, 200)
      assert.match(String(answer.headers.get("content-type")), /^text\/html/)
      assert.notMatch(answer.text, /<(script|link|img|iframe)[^>]+(src|href)\s*=\s*["']?(https?:)?\/\//i)
      assert.include(answer.text, "SwaggerUIBundle")
    }),
  )

  it.effect("health says that the process lives and that it can serve", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* call("/health/live")).body, { status: "ok" })
      assert.deepStrictEqual((yield* call("/health/ready")).body, { status: "ok" })
      assert.strictEqual((yield* call("/health/live", { method: "HEAD" })).status, 200)
    }),
  )
})
