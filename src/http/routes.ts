/**
 * Which methods a path answers. The router says only that nothing matched; this tells a wrong method (405 with Allow)
 * from a wrong path (404), from the contract itself.
 */
import { HttpApi } from "effect/http-api"
import { Api } from "./contract/Api.ts"

export const openApiPath = "/openapi.json"
export const docsPath = "/docs"

interface Route {
  readonly method: string
  readonly path: RegExp
}

const routes: Array<Route> = [openApiPath, docsPath].map((path) => ({ method: "GET", path: new RegExp(`^${path}$`) }))
HttpApi.reflect(Api, {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) => {
    const path = endpoint.path.replaceAll(".", "\\.").replaceAll(/:[A-Za-z]+/g, "[^/]+")
    routes.push({ method: endpoint.method, path: new RegExp(`^${path}$`) })
  },
})

export const allowedMethods = (url: string): ReadonlyArray<string> => {
  const path = url.split("?", 1)[0] ?? ""
  const methods = new Set<string>()
  for (const route of routes) {
    if (!route.path.test(path)) continue
    methods.add(route.method)
    if (route.method === "GET") methods.add("HEAD")
  }
  return [...methods].sort()
}
