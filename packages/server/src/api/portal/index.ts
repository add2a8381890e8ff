import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { portalAppRoutes } from '#api/portal/apps';
import { portalSessionRoutes } from '#api/portal/session';

/** Calls of the hosted page that are not part of Cobalt's wire. */
export function portalRoutes(app: ApiApp, deps: ApiDeps): void {
  portalSessionRoutes(app, deps);
  portalAppRoutes(app, deps);
}
