import type { ApiDeps } from '#api/deps';
import type { StoredWorkflow } from '#db/workflow';
import { appIconUrl, appId } from '#domain/app';
import { derivedId } from '#domain/ids';

/** The organisation's own application: the home of its events, and of workflows that belong to no other app. */
export function ownApp(orgId: string) {
  return { _id: derivedId('own-app', orgId), name: 'My App', slug: 'custom', icon: '', description: '' };
}

/** The application of a workflow as the wire shows it; workflows without one belong to the organisation's own. */
export function workflowApp(deps: ApiDeps, row: Pick<StoredWorkflow, 'app_slug' | 'org_id'>) {
  if (row.app_slug === null) return ownApp(row.org_id);
  const connector = deps.connectors.get(row.app_slug);
  return {
    _id: appId(row.app_slug),
    name: connector?.name ?? row.app_slug,
    slug: row.app_slug,
    icon: appIconUrl(deps.config.publicUrl, row.app_slug),
    description: connector?.description ?? '',
  };
}
