/**
 * `node observability/askPanels.ts http://127.0.0.1:9090`: asks a Prometheus for every panel's query of every
 * dashboard, and ends with 1 where one is refused or has nothing to show. For a stack that has been under load.
 */
import { readdirSync, readFileSync } from "node:fs"

interface Panel {
  readonly title: string
  readonly targets: ReadonlyArray<{ readonly expr: string }>
}

const prometheus = process.argv[2] ?? "http://127.0.0.1:9090"
const folder = new URL("grafana/dashboards/", import.meta.url)

const ask = async (expr: string): Promise<string | null> => {
  const response = await fetch(`${prometheus}/api/v1/query?${new URLSearchParams({ query: expr }).toString()}`)
  const answer = JSON.parse(await response.text()) as {
    readonly status: string
    readonly error?: string
    readonly data?: { readonly result: ReadonlyArray<unknown> }
  }
  if (answer.status !== "success") return answer.error ?? "refused"
  return (answer.data?.result.length ?? 0) > 0 ? null : "empty"
}

const queries = readdirSync(folder).flatMap((file) => {
  const { panels, title } = JSON.parse(readFileSync(new URL(file, folder), "utf8")) as {
    readonly title: string
    readonly panels: ReadonlyArray<Panel>
  }
  return panels.flatMap((panel) => panel.targets.map(({ expr }) => ({ expr, where: `${title} / ${panel.title}` })))
})
const faults = await Promise.all(
  queries.map(async ({ expr, where }) => {
    const fault = await ask(expr)
    return fault === null ? [] : [`${where}: ${fault}\n  ${expr}`]
  }),
)
const wrong = faults.flat()
process.stdout.write([...wrong, `${queries.length} queries asked, ${wrong.length} without an answer`, ""].join("\n"))
process.exitCode = wrong.length === 0 && queries.length > 0 ? 0 : 1
