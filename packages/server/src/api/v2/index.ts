import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { linkedAccountRoutes } from '#api/v2/linked-accounts';
import { sessionRoutes } from '#api/v2/sessions';

/** Cobalt's wire, one file a topic. */
export function wireRoutes(app: ApiApp, deps: ApiDeps): void {
  linkedAccountRoutes(app, deps);
  sessionRoutes(app, deps);
}
