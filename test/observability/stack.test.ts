/**
 * What `observability/` says, held to what the service tells: a metric that was renamed, an alert without its runbook and
 * an expression that finds no trace in a real line would only be missed at 20:00.
 */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Yaml from "effect/encoding/Yaml"
import { execFileSync, spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("../../observability/", import.meta.url))
const read = (file: string): string => readFileSync(`${folder}${file}`, "utf8")

const Board = Schema.Struct({
  uid: Schema.String,
  title: Schema.String,
  panels: Schema.Array(
    Schema.Struct({
      title: Schema.String,
      description: Schema.NonEmptyString,
      targets: Schema.Array(Schema.Struct({ expr: Schema.String, datasource: Schema.Struct({ uid: Schema.String }) })),
    }),
  ),
})
const decodeBoard = Schema.decodeUnknownSync(Schema.fromJsonString(Board))
const boards = readdirSync(`${folder}grafana/dashboards`).map((file) => decodeBoard(read(`grafana/dashboards/${file}`)))

const Rule = Schema.Struct({
  alert: Schema.optionalKey(Schema.String),
  record: Schema.optionalKey(Schema.String),
  expr: Schema.String,
  annotations: Schema.optionalKey(Schema.Struct({ summary: Schema.String, runbook_url: Schema.String })),
})
const decodeRules = Schema.decodeUnknownSync(
  Schema.Struct({ groups: Schema.Array(Schema.Struct({ rules: Schema.Array(Rule) })) }),
)
const rules = decodeRules(Yaml.parse(read("prometheus/rules.yml"))).groups.flatMap((group) => group.rules)

const decodeSources = Schema.decodeUnknownSync(
  Schema.Struct({
    datasources: Schema.Array(
      Schema.Struct({
        uid: Schema.String,
        jsonData: Schema.Struct({
          derivedFields: Schema.optionalKey(Schema.Array(Schema.Struct({ matcherRegex: Schema.String }))),
        }),
      }),
    ),
  }),
)
const sources = decodeSources(Yaml.parse(read("grafana/provisioning/datasources/datasources.yml"))).datasources

/** Names that the page of signals gives, with the endings that a histogram adds. */
const told = new Set(
  [...read("signals.md").matchAll(/^\| `((?:hedonify|http_server)_\w+)` \| (\w+)/gm)].flatMap(([, name = "", type]) =>
    type === "histogram" ? ["_bucket", "_sum", "_count"].map((ending) => `${name}${ending}`) : [name],
  ),
)
const recorded = new Set(rules.flatMap(({ record }) => (record === undefined ? [] : [record])))

describe("the dashboards and rules", () => {
  it("ask for metrics that the service tells, and for rules that are recorded", () => {
    const asked = [
      ...boards.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))),
      ...rules.map(({ expr }) => expr),
    ]
    const names = asked.flatMap((expr) => expr.match(/\b(?:hedonify_|http_server_)\w+/g) ?? [])
    assert.isAbove(names.length, 80)
    assert.deepStrictEqual(
      names.filter((name) => !told.has(name)),
      [],
    )
    const own = asked.flatMap((expr) => expr.match(/\bhedonify:[\w:]+/g) ?? [])
    assert.deepStrictEqual(
      own.filter((name) => !recorded.has(name)),
      [],
    )
  })

  it("stand on sources that are provisioned, each under a name of its own", () => {
    assert.strictEqual(new Set(boards.map(({ uid }) => uid)).size, 3)
    const uids = new Set(sources.map(({ uid }) => uid))
    for (const { panels } of boards) {
      for (const { targets } of panels) for (const { datasource } of targets) assert.isTrue(uids.has(datasource.uid))
    }
  })

  it("have a section of the runbooks for each alert, and no section for none", () => {
    const alerts = rules.flatMap(({ alert, annotations }) => (alert === undefined ? [] : [{ alert, annotations }]))
    const sections = [...read("runbooks.md").matchAll(/^## (\w+)$/gm)].map(([, name]) => name)
    assert.deepStrictEqual(
      alerts.map(({ alert }) => alert),
      sections,
    )
    for (const { alert, annotations } of alerts) {
      assert.strictEqual(annotations?.runbook_url, `observability/runbooks.md#${alert.toLowerCase()}`)
    }
  })

  it("find the trace of a line as the service writes it", () => {
    const line =
      '{"level":"info","pid":1,"time":"2026-11-26T17:45:44.689Z","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"937a69c2476e6d4b","requestId":"a-1","msg":"request"}'
    const expressions = sources.flatMap(({ jsonData }) => jsonData.derivedFields ?? [])
    assert.isAbove(expressions.length, 0)
    for (const { matcherRegex } of expressions) {
      assert.strictEqual(new RegExp(matcherRegex).exec(line)?.[1], "4bf92f3577b34da6a3ce929d0e0e4736")
    }
  })

  it.skipIf(spawnSync("promtool", ["--version"]).status !== 0)(
    "are what promtool calls sound, and fire when they should",
    () => {
      const promtool = (...words: ReadonlyArray<string>) =>
        execFileSync("promtool", words, { cwd: `${folder}prometheus`, encoding: "utf8" })
      assert.include(promtool("check", "config", "prometheus.yml"), "SUCCESS")
      assert.include(promtool("test", "rules", "rules.test.yml"), "SUCCESS")
    },
  )
})
