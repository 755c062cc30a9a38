/**
 * Who is calling: endpoints under this middleware run only for a signed-in account and find it as `CurrentPrincipal`.
 */
import { Context } from "effect"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import type { Principal } from "../../accounts/principal.ts"
import { problems } from "./problem.ts"

export class CurrentPrincipal extends Context.Service<CurrentPrincipal, Principal>()(
  "hedonify/http/CurrentPrincipal",
) {}

export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: CurrentPrincipal }>()(
  "hedonify/http/Authorization",
  { security: { bearer: HttpApiSecurity.bearer }, error: problems({ 401: ["unauthenticated"] }) },
) {}
