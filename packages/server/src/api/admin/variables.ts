import { z } from 'zod';
import { consoleOf, requireAdmin } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { page, pageOf, pageQuery, wireTime } from '#api/wire';
import type { StoredDefinition, StoredVariableValue } from '#db/variable';
import { redacted } from '#domain/masking/index';
import {
  changeDescription,
  createDefinition,
  getDefinition,
  listValuesOfScope,
  listVariableDefinitions,
  removeDefinition,
  removeValue,
  setValue,
} from '#variables/index';

const tags = ['Dashboard: environment variables'];
const scope = z.enum(['org', 'workspace', 'linked_account', 'workflow']);
const format = z.enum(['string', 'number', 'url']);
const idPath = z.object({ id: z.string() });

const definitionShape = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  scope,
  format,
  is_encrypted: z.boolean(),
  created_at: z.string(),
  updated_at: z.string(),
});

const valueShape = z.object({
  id: z.string(),
  variable_id: z.string(),
  linked_account_id: z.string().nullable(),
  workflow_id: z.string().nullable(),
  value: z.string().describe('`[REDACTED]` for an encrypted variable'),
  updated_by: z.string().nullable(),
  updated_at: z.string(),
});

/** Environment variables: definitions of the organisation, and their values in the environment that is looked at. */
export function adminVariableRoutes(app: ApiApp, deps: ApiDeps): void {
  definitionRoutes(app, deps);
  valueRoutes(app, deps);
}

function definitionRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/variables',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List environment variables',
        querystring: pageQuery.extend({ scope: scope.optional(), name: z.string().max(200).optional() }),
        response: { 200: pageOf(definitionShape) },
      },
    },
    async (request) => {
      const { page: number, limit, scope, name } = request.query;
      const at = { page: number, limit };
      const found = await listVariableDefinitions(deps, consoleOf(request).tenant, { scope, name }, at);
      return page(found.rows.map(shapeDefinition), found.total, at);
    },
  );

  app.post(
    '/api/admin/variables',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Create an environment variable; its scope, format and encryption stay as they are',
        body: z.strictObject({
          name: z.string(),
          description: z.string().optional(),
          scope,
          format: format.default('string'),
          is_encrypted: z.boolean().default(false),
        }),
        response: { 200: definitionShape },
      },
    },
    async (request) => {
      const { tenant, user } = requireAdmin(request);
      const { is_encrypted: isEncrypted, ...input } = request.body;
      return shapeDefinition(await createDefinition(deps, tenant, { ...input, isEncrypted }, user.email));
    },
  );

  app.patch(
    '/api/admin/variables/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Change the description of an environment variable',
        params: idPath,
        body: z.strictObject(
          { description: z.string() },
          { error: 'only the description can be changed; create another variable instead' },
        ),
        response: { 200: definitionShape },
      },
    },
    async (request) => {
      const { tenant, user } = requireAdmin(request);
      const { id } = request.params;
      return shapeDefinition(await changeDescription(deps, tenant, id, request.body.description, user.email));
    },
  );

  app.delete(
    '/api/admin/variables/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Delete an environment variable with its values in all environments',
        params: idPath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await removeDefinition(deps, requireAdmin(request).tenant, request.params.id);
      return { ok: true as const };
    },
  );
}

function valueRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/variables/:id/values',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List the values of an environment variable',
        params: idPath,
        querystring: pageQuery,
        response: { 200: pageOf(valueShape) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { page: number, limit } = request.query;
      const { id: definitionId, scope } = await getDefinition(deps, tenant, request.params.id);
      const at = { page: number, limit };
      const { rows, total } = await listValuesOfScope(deps, tenant, { scope, definitionId }, at);
      return page(rows.map(shapeValue), total, at);
    },
  );

  app.put(
    '/api/admin/variables/:id/value',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Set a value of an environment variable',
        params: idPath,
        body: z.object({
          value: z.string(),
          linked_account_id: z.string().min(1).optional(),
          workflow_id: z.string().min(1).optional(),
        }),
        response: { 200: valueShape },
      },
    },
    async (request) => {
      const { tenant, user } = requireAdmin(request);
      const { value, linked_account_id: accountId, workflow_id: workflowId } = request.body;
      const query = { definitionId: request.params.id, accountId, workflowId, value };
      return shapeValue(await setValue(deps, tenant, query, user.email));
    },
  );

  app.delete(
    '/api/admin/variable-values/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Delete a value of an environment variable',
        params: idPath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await removeValue(deps, requireAdmin(request).tenant, request.params.id);
      return { ok: true as const };
    },
  );
}

function shapeDefinition(row: StoredDefinition): z.output<typeof definitionShape> {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    scope: row.scope,
    format: row.var_format,
    is_encrypted: row.is_encrypted,
    created_at: wireTime(row.created_at),
    updated_at: wireTime(row.updated_at),
  };
}

function shapeValue(row: StoredVariableValue): z.output<typeof valueShape> {
  return {
    id: row.id,
    variable_id: row.definition_id,
    linked_account_id: row.account_id,
    workflow_id: row.workflow_id,
    value: row.value ?? redacted,
    updated_by: row.updated_by,
    updated_at: wireTime(row.updated_at),
  };
}
