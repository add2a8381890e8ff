import { z } from 'zod';
import { summarizeConnections, type ConnectionSummary } from '#db/connection-summary';
import type { StoredLinkedAccount } from '#db/linked-account';
import { appIconUrl, appId } from '#domain/app';
import { derivedId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';

const integration = z.object({
  _id: z.string(),
  type: z.string().describe('Slug of the app; `custom` for your own.'),
  name: z.string(),
  icon: z.string(),
  identifier: z.unknown().optional(),
  app_id: z.string().nullable(),
  reauth_required: z.boolean(),
  refresh_token_expired: z.boolean(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
type Integration = z.output<typeof integration>;

/** LinkedAccount of spec/api §3. Fields that were given at creation and mean nothing to us come back as well. */
export const linkedAccountShape = z.looseObject({
  _id: z.string(),
  associated_org: z.string(),
  account_id: z.string(),
  name: z.string().optional(),
  environment: z.enum(['test', 'production']),
  scope: z.string().optional(),
  udf: z.array(
    z.object({
      _id: z.string(),
      key_name: z.string(),
      key_value: z.unknown(),
      createdAt: z.string(),
      updatedAt: z.string(),
    }),
  ),
  integrations: z.array(integration).optional(),
  is_seed: z.boolean().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type WireLinkedAccount = z.output<typeof linkedAccountShape>;

export function shapeLinkedAccount(account: StoredLinkedAccount): WireLinkedAccount {
  return {
    ...account.extra,
    _id: account.id,
    associated_org: account.org_id,
    account_id: account.account_id,
    ...(account.name !== null && { name: account.name }),
    environment: account.environment,
    ...(account.scope !== null && { scope: account.scope }),
    udf: account.udf,
    ...(account.is_seed && { is_seed: true }),
    createdAt: wireTime(account.created_at),
    updatedAt: wireTime(account.updated_at),
  };
}

type ShapeDeps = Pick<ApiDeps, 'db' | 'config' | 'connectors'>;

/** Accounts with their integrations: one for each app that has a connection, and one for the company's own app. */
export async function shapeWithIntegrations(
  deps: ShapeDeps,
  tenant: Tenant,
  accounts: readonly StoredLinkedAccount[],
): Promise<WireLinkedAccount[]> {
  const connections = await summarizeConnections(
    deps.db,
    tenant,
    accounts.map(({ id }) => id),
  );
  const byAccount = Map.groupBy(connections, (connection) => connection.linked_account_id);
  return accounts.map((account) => ({
    ...shapeLinkedAccount(account),
    integrations: [...ownApp(account), ...shapeIntegrations(deps, byAccount.get(account.id) ?? [])],
  }));
}

function shapeIntegrations(deps: ShapeDeps, connections: readonly ConnectionSummary[]): Integration[] {
  const byApp = Map.groupBy(connections, (connection) => connection.app_slug);
  return [...byApp].map(([slug, group]) => {
    const active = group.find(({ status }) => status === 'active');
    const shown = active ?? group[0];
    const times = group.map(({ updated_at }) => updated_at.getTime());
    return {
      _id: group[0]?.id ?? '',
      type: slug,
      name: deps.connectors.get(slug)?.name ?? slug,
      icon: appIconUrl(deps.config.publicUrl, slug),
      ...(shown?.identifier != null && { identifier: shown.identifier }),
      app_id: appId(slug),
      reauth_required: active === undefined,
      refresh_token_expired: active === undefined,
      createdAt: wireTime(group[0]?.created_at ?? new Date(0)),
      updatedAt: wireTime(new Date(Math.max(...times))),
    };
  });
}

function ownApp(account: StoredLinkedAccount): Integration[] {
  if (account.org_credentials_sealed === null) return [];
  return [
    {
      _id: derivedId('own-app', account.id),
      type: 'custom',
      name: 'Your App',
      icon: '',
      app_id: null,
      reauth_required: false,
      refresh_token_expired: false,
      createdAt: wireTime(account.created_at),
      updatedAt: wireTime(account.updated_at),
    },
  ];
}
