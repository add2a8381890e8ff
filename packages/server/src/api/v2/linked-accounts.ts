import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf, callerOf } from '#api/caller';
import { headerOrQuery } from '#api/context';
import { deleteAccountAndStop } from '#api/delete-linked-account';
import type { ApiDeps } from '#api/deps';
import { page, pageOf, pageQuery } from '#api/wire';
import {
  bodyAccountId,
  linkedAccountBody,
  linkedAccountInput,
  upsertBody,
} from '#api/v2/linked-account-body';
import { createFromBody, listShaped, readShaped } from '#api/v2/linked-account-doors';
import { linkedAccountShape, shapeLinkedAccount } from '#api/v2/linked-account-shape';
import { removeOrgCredential, setOrgCredential, upsertLinkedAccount } from '#connections/index';
import { AppError } from '#domain/errors';

const tags = ['Linked accounts'];
const accountPath = z.object({ linked_account_id: z.string() });

/** Linked accounts: spec/api §4.1. */
export function linkedAccountRoutes(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/api/v2/public/linked-account',
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Create a linked account',
        operationId: 'createLinkedAccount',
        body: linkedAccountBody,
        response: { 200: linkedAccountShape },
      },
    },
    (request) => createFromBody(deps, callerOf(request).tenant, request.body),
  );

  app.put(
    '/api/v2/public/linked-account',
    {
      config: { auth: 'key|session' },
      schema: {
        tags,
        summary: 'Create or change a linked account',
        operationId: 'upsertLinkedAccount',
        body: upsertBody,
        response: { 200: linkedAccountShape.extend({ new_account: z.boolean() }) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const { payload, ...flat } = request.body;
      const body = { ...flat, ...payload };
      const accountId =
        caller.linkedAccount?.accountId ?? bodyAccountId(body) ?? headerOrQuery(request, 'linked_account_id');
      if (accountId === undefined) throw new AppError('linked_account_id_missing', undefined);
      const { account, isNew } = await upsertLinkedAccount(
        deps,
        caller.tenant,
        accountId,
        linkedAccountInput(body),
      );
      return { ...shapeLinkedAccount(account), new_account: isNew };
    },
  );

  app.get(
    '/api/v2/public/linked-account',
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'List linked accounts',
        operationId: 'listLinkedAccounts',
        querystring: pageQuery.extend({
          scope: z.string().optional(),
          env_variable_name: z.string().optional(),
          env_variable_value: z.string().optional(),
        }),
        response: { 200: pageOf(linkedAccountShape) },
      },
    },
    async (request) => {
      // Variables do not exist yet, so no account holds the value asked for.
      if (request.query.env_variable_name !== undefined) return page([], 0, request.query);
      return listShaped(deps, callerOf(request).tenant, request.query);
    },
  );

  app.get(
    '/api/v2/public/linked-account/:linked_account_id',
    {
      config: { auth: 'key|session' },
      schema: {
        tags,
        summary: 'Read a linked account',
        operationId: 'getLinkedAccountById',
        params: accountPath,
        response: { 200: linkedAccountShape },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = callerOf(request);
      const accountId = request.params.linked_account_id;
      // A session sees its own account; any other looks like none.
      if (linkedAccount !== undefined && linkedAccount.accountId !== accountId) {
        throw new AppError('linked_account_not_found', { id: accountId, ...tenant });
      }
      return readShaped(deps, tenant, accountId);
    },
  );

  app.delete(
    '/api/v2/public/linked-account/:linked_account_id',
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Delete a linked account with everything it owns',
        operationId: 'deleteLinkedAccount',
        params: accountPath,
        response: { 200: z.object({ message: z.string() }) },
      },
    },
    async (request) => {
      await deleteAccountAndStop(deps, callerOf(request).tenant, request.params.linked_account_id);
      return { message: 'User deleted successfully' };
    },
  );

  app.get(
    '/api/v2/public/session/active-linked-account',
    {
      config: { auth: 'session' },
      schema: {
        tags,
        summary: 'Read the linked account of a session token',
        operationId: 'getLinkedAccountBySessionToken',
        response: { 200: linkedAccountShape },
      },
    },
    (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      return readShaped(deps, tenant, linkedAccount.accountId);
    },
  );

  ownCredentialRoutes(app, deps);
}

/** This customer's credentials for the SaaS company's own API. */
function ownCredentialRoutes(app: ApiApp, deps: ApiDeps): void {
  const url = '/api/v2/public/linked-account/default-app/auth-credentials/:key';
  const params = z.object({ key: z.string().min(1).max(200) });

  app.put(
    url,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: "Set one credential for the organization's own app",
        operationId: 'upsertDefaultAppAuthCredential',
        params,
        body: z.object({ value: z.union([z.string(), z.number(), z.boolean()]).transform(String) }),
        response: {
          200: z.object({
            success: z.literal(true),
            message: z.string(),
            action: z.enum(['added', 'updated']),
          }),
        },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { key } = request.params;
      const action = await setOrgCredential(deps, tenant, linkedAccount.accountId, key, request.body.value);
      return { success: true as const, message: `Auth credential '${key}' ${action} successfully`, action };
    },
  );

  app.delete(
    url,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: "Remove one credential for the organization's own app",
        operationId: 'deleteDefaultAppAuthCredential',
        params,
        response: { 200: z.object({ success: z.literal(true), message: z.string() }) },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { key } = request.params;
      await removeOrgCredential(deps, tenant, linkedAccount.accountId, key);
      return { success: true as const, message: `Auth credential '${key}' deleted successfully` };
    },
  );
}
