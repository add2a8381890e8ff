import type { z } from 'zod';
import type { ApiDeps } from '#api/deps';
import { page, type PageRequest } from '#api/wire';
import { bodyAccountId, type linkedAccountBody, linkedAccountInput } from '#api/v2/linked-account-body';
import {
  shapeLinkedAccount,
  shapeWithIntegrations,
  type WireLinkedAccount,
} from '#api/v2/linked-account-shape';
import { createLinkedAccount, getLinkedAccount } from '#connections/index';
import { type LinkedAccountFilter, listLinkedAccounts } from '#db/linked-account';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';

/** Creates the account that a body names. @throws linked_account_id_missing, and as `createLinkedAccount` */
export async function createFromBody(
  deps: ApiDeps,
  tenant: Tenant,
  body: z.output<typeof linkedAccountBody>,
): Promise<WireLinkedAccount> {
  const accountId = bodyAccountId(body);
  if (accountId === undefined) throw new AppError('linked_account_id_missing', undefined);
  return shapeLinkedAccount(await createLinkedAccount(deps, tenant, accountId, linkedAccountInput(body)));
}

/** One account with its integrations. @throws linked_account_not_found */
export async function readShaped(
  deps: ApiDeps,
  tenant: Tenant,
  accountId: string,
): Promise<WireLinkedAccount> {
  const account = await getLinkedAccount(deps, tenant, accountId);
  const [shaped] = await shapeWithIntegrations(deps, tenant, [account]);
  return shaped ?? shapeLinkedAccount(account);
}

/** One page of accounts with their integrations, newest first. */
export async function listShaped(deps: ApiDeps, tenant: Tenant, query: LinkedAccountFilter & PageRequest) {
  const { rows, total } = await listLinkedAccounts(deps.db, tenant, query, query);
  return page(await shapeWithIntegrations(deps, tenant, rows), total, query);
}
