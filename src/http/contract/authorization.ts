/**
 * Who is calling: endpoints under this middleware run only for a signed-in account and find it as `CurrentPrincipal`.
 * Those under `CallerAuthorization` run for a channel as well and find either as `CurrentCaller`. The token travels as `Authorization: Bearer …`, which `openApiDocument.ts` tells the document.
 */
import { Context } from "effect"
import { HttpApiMiddleware } from "effect/http-api"
import type { Caller, Principal } from "../../accounts/principal.ts"
import { problems } from "./problem.ts"

export class CurrentPrincipal extends Context.Service<CurrentPrincipal, Principal>()(
  "hedonify/http/CurrentPrincipal",
) {}

export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: CurrentPrincipal }>()(
  "hedonify/http/Authorization",
  { error: problems({ 401: ["unauthenticated"], 403: ["forbidden"] }) },
) {}

export class CurrentCaller extends Context.Service<CurrentCaller, Caller>()("hedonify/http/CurrentCaller") {}

export class CallerAuthorization extends HttpApiMiddleware.Service<CallerAuthorization, { provides: CurrentCaller }>()(
  "hedonify/http/CallerAuthorization",
  { error: problems({ 401: ["unauthenticated"], 403: ["forbidden"] }) },
) {}
