import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';

/** Cobalt's wire, one file a topic. Add yours here. */
export function wireRoutes(_app: ApiApp, _deps: ApiDeps): void {
  // topics register below
}
