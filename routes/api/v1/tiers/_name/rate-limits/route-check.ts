import { routeTemplate } from '../../../../../../db/tiers.ts'
import { invalid } from '../../../../../../plugins/envelope/errors.ts'
import type { Limits } from '../../../../../../plugins/rate-limit/index.ts'

/** @throws 422 for a route that does not exist, or that nothing limits: a rule that never acts would go unnoticed */
export function requireRoute(limits: Limits, { path, method = null }: { path: string; method?: string | null }): void {
  if (!limits.isRoute(routeTemplate(path), null)) throw invalid('path', 'is no route that can be limited')
  if (!limits.isRoute(routeTemplate(path), method)) throw invalid('method', 'is none of this path')
}
