import type { Connector } from '@inlay/connectors/kit';
import type { ConnectionDeps } from '#connections/deps';
import { customAction } from '#connections/custom-actions/action';
import { describedApp } from '#connections/own-api/connector';
import { findCustomAction, listCustomActions, type StoredCustomAction } from '#db/custom-action';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';

type FindDeps = Pick<ConnectionDeps, 'pool' | 'connectors'>;

/** Whether the app's own connector has the action: those are found without asking the database. */
export function isBuiltIn(connector: Connector | undefined, actionId: string): boolean {
  return connector !== undefined && Object.hasOwn(connector.actions, actionId);
}

/** The custom action that a call names; undefined where the app's own connector, or nobody, has it. */
export async function calledCustomAction(
  deps: FindDeps,
  call: { readonly tenant: Tenant; readonly slug: string; readonly actionId: string },
): Promise<StoredCustomAction | undefined> {
  const connector = describedApp(deps.connectors, call.slug);
  if (connector === undefined || isBuiltIn(connector, call.actionId)) return undefined;
  return findCustomAction(deps.pool, call.tenant, call.slug, { actionId: call.actionId });
}

/**
 * A connector with the tenant's own actions among its own, to be described.
 *
 * @param actionId - only this one is looked for
 * @throws AppError `app_not_found`
 */
export async function connectorWithCustomActions(
  deps: FindDeps,
  tenant: Tenant,
  slug: string,
  actionId?: string,
): Promise<Connector> {
  const connector = describedApp(deps.connectors, slug);
  if (connector === undefined) throw new AppError('app_not_found', { slug, orgId: tenant.orgId });
  if (actionId !== undefined && isBuiltIn(connector, actionId)) return connector;
  const found =
    actionId === undefined
      ? await listCustomActions(deps.pool, tenant, slug)
      : [await findCustomAction(deps.pool, tenant, slug, { actionId })].filter((row) => row !== undefined);
  const own = Object.fromEntries(found.map((row) => [row.action_id, customAction(row)]));
  return { ...connector, actions: { ...own, ...connector.actions } };
}
