import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { callerOf, type Caller } from '#api/caller';
import type { ApiDeps } from '#api/deps';
import { page, pageOf, pageQuery, wireTime } from '#api/wire';
import type { StoredDefinition, StoredVariableValue } from '#db/variable';
import type { VariableScope } from '#db/schema';
import { AppError } from '#domain/errors';
import { redacted } from '#domain/masking/index';
import {
  getDefinition,
  getValue,
  listValuesOfScope,
  listVariableDefinitions,
  removeValue,
  setValue,
} from '#variables/index';

const tags = ['Environment Variables'];
const base = '/api/v2/public/env';

export const variableScope = z.enum(['org', 'workspace', 'linked_account', 'workflow']);
export const variableFormat = z
  .string()
  .transform((text) => text.toLowerCase())
  .pipe(z.enum(['string', 'number', 'url'], { error: 'use string, number or url' }));

const definitionShape = z.object({
  _id: z.string(),
  org_id: z.string(),
  name: z.string(),
  description: z.string(),
  scope: variableScope,
  var_format: z.enum(['string', 'number', 'url']),
  encrypted: z.boolean(),
  created_by: z.string().optional(),
  updated_by: z.string().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
});

const valueShape = z.object({
  _id: z.string(),
  variable_definition_id: z.string(),
  org_id: z.string(),
  environment: z.enum(['test', 'production']),
  linked_account_id: z.string().optional(),
  workflow_id: z.string().optional(),
  value: z.string().describe('`[REDACTED]` for an encrypted variable'),
  created_by: z.string().optional(),
  updated_by: z.string().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
});

const listedValueShape = valueShape.extend({
  variable_definition_id: z.object({
    _id: z.string(),
    name: z.string(),
    scope: variableScope,
    encrypted: z.boolean(),
  }),
});

/** One name, or several in one text or as a repeated parameter. */
const names = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => [given].flat().flatMap((text) => text.split(',')))
  .transform((list) => list.map((name) => name.trim()).filter((name) => name !== ''));

/** Environment variables: spec/api §4.13. Definitions come from the dashboard; values from here too. */
export function variableRoutes(app: ApiApp, deps: ApiDeps): void {
  definitionRoutes(app, deps);
  valueRoutes(app, deps);
}

function definitionRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    `${base}/definitions`,
    {
      config: { auth: 'account?' },
      schema: {
        tags,
        summary: 'List the environment variables of the organisation',
        operationId: 'listVariableDefinitions',
        querystring: pageQuery.extend({
          scope: variableScope.optional(),
          var_format: variableFormat.optional(),
          name: z.string().max(200).optional(),
          names: names.optional(),
        }),
        response: { 200: pageOf(definitionShape) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const { page: number, limit, scope, var_format: format, name, names } = request.query;
      const filter = { scope: scopeFor(caller, scope), format, name, names };
      const at = { page: number, limit };
      const { rows, total } = await listVariableDefinitions(deps, caller.tenant, filter, at);
      return page(rows.map(shapeDefinition), total, at);
    },
  );

  app.get(
    `${base}/definitions/:id`,
    {
      config: { auth: 'key' },
      schema: {
        tags,
        summary: 'Read an environment variable',
        operationId: 'getVariableDefinition',
        params: z.object({ id: z.string() }),
        response: { 200: z.object({ definition: definitionShape }) },
      },
    },
    async (request) => ({
      definition: shapeDefinition(await getDefinition(deps, callerOf(request).tenant, request.params.id)),
    }),
  );
}

const owners = z.object({
  linked_account_id: z.string().min(1).optional(),
  workflow_id: z.string().min(1).optional(),
});

function valueRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    `${base}/value/:definition_id`,
    {
      config: { auth: 'account?' },
      schema: {
        tags,
        summary: 'Read the value of an environment variable',
        operationId: 'getVariableValue',
        params: z.object({ definition_id: z.string() }),
        querystring: owners,
        response: {
          200: z.object({
            value: z.string(),
            encrypted: z.boolean(),
            name: z.string(),
            scope: variableScope,
            variable_definition_id: z.string(),
          }),
        },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const { definition_id: id } = request.params;
      const definition = await definitionFor(deps, caller, id);
      const value = await getValue(deps, caller.tenant, {
        definitionId: id,
        ...ownersFor(caller, definition, request.query),
      });
      return {
        value: shownValue(value),
        encrypted: value.is_encrypted,
        name: value.name,
        scope: value.scope,
        variable_definition_id: value.definition_id,
      };
    },
  );

  app.post(
    `${base}/values`,
    {
      config: { auth: 'account?' },
      schema: {
        tags,
        summary: 'Set the value of an environment variable',
        operationId: 'setVariableValue',
        body: owners.extend({
          variable_definition_id: z.string().min(1),
          value: z.string({ error: 'send the value as a text, also for the formats number and url' }),
        }),
        response: { 200: valueShape },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const { variable_definition_id: definitionId, value, ...given } = request.body;
      const definition = await definitionFor(deps, caller, definitionId);
      const query = { definitionId, value, ...ownersFor(caller, definition, given) };
      return shapeValue(await setValue(deps, caller.tenant, query, writerOf(caller)));
    },
  );

  app.get(
    `${base}/values/:scope`,
    {
      config: { auth: 'account?' },
      schema: {
        tags,
        summary: 'List the values of all environment variables of a scope',
        operationId: 'listVariableValuesByScope',
        params: z.object({ scope: variableScope }),
        querystring: pageQuery.extend({
          ...owners.shape,
          variable_definition_id: z.string().min(1).optional(),
        }),
        response: { 200: pageOf(listedValueShape).extend({ status: z.literal('success') }) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const { scope } = request.params;
      scopeFor(caller, scope);
      const { page: number, limit, variable_definition_id: definitionId, workflow_id } = request.query;
      if (scope === 'workflow' && workflow_id === undefined) {
        throw new AppError('invalid_request', {
          problems: [{ path: '', message: 'workflow_id is required for workflow scope' }],
        });
      }
      const accountId = scope === 'linked_account' ? accountFor(caller, request.query) : undefined;
      const workflowId = scope === 'workflow' ? workflow_id : undefined;
      const at = { page: number, limit };
      const filter = { scope, definitionId, accountId, workflowId };
      const { rows, total } = await listValuesOfScope(deps, caller.tenant, filter, at);
      return { status: 'success' as const, ...page(rows.map(shapeListedValue), total, at) };
    },
  );

  app.delete(
    `${base}/values/:value_id`,
    {
      config: { auth: 'account?' },
      schema: {
        tags,
        summary: 'Delete the value of an environment variable',
        operationId: 'deleteVariableValue',
        params: z.object({ value_id: z.string() }),
        response: { 200: z.object({ status: z.literal('success'), message: z.string() }) },
      },
    },
    async (request) => {
      const caller = callerOf(request);
      const own = caller.kind === 'session' ? caller.linkedAccount?.id : undefined;
      await removeValue(deps, caller.tenant, request.params.value_id, own);
      return { status: 'success' as const, message: 'Variable value deleted successfully' };
    },
  );
}

/** What a session may ask for: the variables of its own account, and no others. */
function scopeFor(caller: Caller, asked: VariableScope | undefined): VariableScope | undefined {
  if (caller.kind !== 'session') return asked;
  if (asked !== undefined && asked !== 'linked_account')
    throw new AppError('variable_scope_forbidden', undefined);
  return 'linked_account';
}

async function definitionFor(deps: ApiDeps, caller: Caller, id: string): Promise<StoredDefinition> {
  const definition = await getDefinition(deps, caller.tenant, id);
  scopeFor(caller, definition.scope);
  return definition;
}

type GivenOwners = z.output<typeof owners>;

/** An account that only the header names counts for the scope that has one, and is no mistake elsewhere. */
function ownersFor(
  caller: Caller,
  { scope }: StoredDefinition,
  given: GivenOwners,
): { accountId: string | undefined; workflowId: string | undefined } {
  const accountId = scope === 'linked_account' ? accountFor(caller, given) : given.linked_account_id;
  return { accountId, workflowId: given.workflow_id };
}

function accountFor(caller: Caller, given: GivenOwners): string | undefined {
  const own = caller.linkedAccount?.accountId;
  if (caller.kind === 'session' && given.linked_account_id !== undefined && given.linked_account_id !== own) {
    throw new AppError('variable_scope_forbidden', undefined);
  }
  return given.linked_account_id ?? own;
}

function writerOf({ kind, linkedAccount }: Caller): string {
  return kind === 'session' ? `linked_account:${linkedAccount?.accountId ?? ''}` : 'api';
}

export function shapeDefinition(row: StoredDefinition): z.output<typeof definitionShape> {
  return {
    _id: row.id,
    org_id: row.org_id,
    name: row.name,
    description: row.description,
    scope: row.scope,
    var_format: row.var_format,
    encrypted: row.is_encrypted,
    ...(row.created_by !== null && { created_by: row.created_by }),
    ...(row.updated_by !== null && { updated_by: row.updated_by }),
    createdAt: wireTime(row.created_at),
    updatedAt: wireTime(row.updated_at),
  };
}

function shapeValue(row: StoredVariableValue): z.output<typeof valueShape> {
  return {
    _id: row.id,
    variable_definition_id: row.definition_id,
    org_id: row.org_id,
    environment: row.environment,
    ...(row.account_id !== null && { linked_account_id: row.account_id }),
    ...(row.workflow_id !== null && { workflow_id: row.workflow_id }),
    value: shownValue(row),
    ...(row.created_by !== null && { created_by: row.created_by }),
    ...(row.updated_by !== null && { updated_by: row.updated_by }),
    createdAt: wireTime(row.created_at),
    updatedAt: wireTime(row.updated_at),
  };
}

function shapeListedValue(row: StoredVariableValue): z.output<typeof listedValueShape> {
  return {
    ...shapeValue(row),
    variable_definition_id: {
      _id: row.definition_id,
      name: row.name,
      scope: row.scope,
      encrypted: row.is_encrypted,
    },
  };
}

function shownValue({ value }: StoredVariableValue): string {
  return value ?? redacted;
}
