import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import { deleteAccountAndStop } from '#api/delete-linked-account';
import type { ApiDeps } from '#api/deps';
import { page, pageOf, pageQuery } from '#api/wire';
import { bodyAccountId, linkedAccountBody, linkedAccountInput } from '#api/v2/linked-account-body';
import { linkedAccountShape, shapeLinkedAccount, shapeWithIntegrations } from '#api/v2/linked-account-shape';
import {
  createConnectLink,
  createLinkedAccount,
  getLinkedAccount,
  issueSessionToken,
} from '#connections/index';
import { listLinkedAccounts } from '#db/linked-account';
import { AppError } from '#domain/errors';

const tags = ['Dashboard: linked accounts'];
const accountPath = z.object({ account_id: z.string() });

/** Linked accounts of the environment that the dashboard looks at. */
export function adminLinkedAccountRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/linked-accounts',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List linked accounts',
        querystring: pageQuery.extend({ search: z.string().max(200).optional() }),
        response: { 200: pageOf(linkedAccountShape) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { rows, total } = await listLinkedAccounts(deps.db, tenant, request.query, request.query);
      return page(await shapeWithIntegrations(deps, tenant, rows), total, request.query);
    },
  );

  app.post(
    '/api/admin/linked-accounts',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Create a linked account',
        body: linkedAccountBody,
        response: { 200: linkedAccountShape },
      },
    },
    async (request) => {
      const accountId = bodyAccountId(request.body);
      if (accountId === undefined) throw new AppError('linked_account_id_missing', undefined);
      const input = linkedAccountInput(request.body);
      return shapeLinkedAccount(await createLinkedAccount(deps, consoleOf(request).tenant, accountId, input));
    },
  );

  app.get(
    '/api/admin/linked-accounts/:account_id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read a linked account',
        params: accountPath,
        response: { 200: linkedAccountShape },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const account = await getLinkedAccount(deps, tenant, request.params.account_id);
      const [shaped] = await shapeWithIntegrations(deps, tenant, [account]);
      return shaped ?? shapeLinkedAccount(account);
    },
  );

  app.delete(
    '/api/admin/linked-accounts/:account_id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Delete a linked account with everything it owns',
        params: accountPath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await deleteAccountAndStop(deps, consoleOf(request).tenant, request.params.account_id);
      return { ok: true as const };
    },
  );

  app.post(
    '/api/admin/linked-accounts/:account_id/portal-link',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Make a link to the hosted page of a linked account',
        params: accountPath,
        body: z.record(z.string(), z.unknown()).describe('How the page looks: `color`, `bgColor`, `name`'),
        response: { 200: z.object({ hosted_url: z.string() }) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const account = await getLinkedAccount(deps, tenant, request.params.account_id);
      const linkedAccount = { id: account.id, accountId: account.account_id, name: account.name };
      // Its own session: a look tried out here must not change the page that the customer has open.
      const { jti } = await issueSessionToken(deps, tenant, linkedAccount, { forceNew: true });
      return {
        hosted_url: await createConnectLink(deps, tenant, {
          linkedAccount,
          sessionJti: jti,
          properties: request.body,
        }),
      };
    },
  );
}
