import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ApiApp } from '#api/app';
import type { AuthRule } from '#api/caller';
import { accountCallerOf } from '#api/caller';
import { contextFlag, contextValue } from '#api/context';
import type { ApiDeps } from '#api/deps';
import { configBody, readConfigChange } from '#api/v2/config-body';
import { configFieldShape, configShape, shapeConfig, shapeConfigField } from '#api/v2/config-shape';
import {
  configsOf,
  deleteConfig,
  getConfig,
  getConfigField,
  openConfig,
  saveConfig,
  setConfigField,
  switchWorkflow,
} from '#configs/index';
import type { ConfigCall, FieldCall } from '#configs/index';
import { AppError } from '#domain/errors';
import { isRecord } from '#domain/exact-json';
import { asText } from '#domain/template';

const tags = ['Configs'];

/** Configs and their fields: spec/api §4.5 and §4.6. */
export function configRoutes(app: ApiApp, deps: ApiDeps): void {
  // The browser SDKs have a spelling of their own for the same operations, with a session only.
  configDoor(app, deps, { base: '/api/v2/public', auth: 'account', suffix: '' });
  configDoor(app, deps, { base: '/api/v2/f-sdk', auth: 'session', suffix: 'Browser' });
  listAndSwitchRoutes(app, deps);
  fieldRoutes(app, deps);
}

interface Door {
  readonly base: string;
  readonly auth: AuthRule;
  /** Makes the operation ids of the second spelling differ. */
  readonly suffix: string;
}

function configCall(request: FastifyRequest, slug: string | undefined, configId?: string): ConfigCall {
  const { tenant, linkedAccount, isWorkflowReadOnly } = accountCallerOf(request);
  if (slug === undefined || slug === '') throw new AppError('slug_missing', undefined);
  return {
    tenant,
    linkedAccount,
    slug,
    configId: configId ?? contextValue(request, 'config_id'),
    withOptions: !contextFlag(request, 'disable_field_options'),
    isWorkflowReadOnly,
  };
}

function configDoor(app: ApiApp, deps: ApiDeps, { base, auth, suffix }: Door): void {
  app.post(
    `${base}/config`,
    {
      config: { auth },
      schema: {
        tags,
        summary: 'Find or create the config of an app',
        operationId: `getOrCreateConfig${suffix}`,
        body: configBody,
        response: { 200: configShape },
      },
    },
    async (request) => {
      const call = configCall(request, contextValue(request, 'slug'));
      return shapeConfig(await openConfig(deps, call, readConfigChange(request.body)));
    },
  );

  app.put(
    `${base}/config`,
    {
      config: { auth },
      schema: {
        tags,
        summary: 'Save values and switches of a config; what is not listed stays',
        operationId: `updateConfig${suffix}`,
        body: configBody,
        response: { 200: configShape },
      },
    },
    async (request) => {
      const call = configCall(request, contextValue(request, 'slug'));
      return shapeConfig(await saveConfig(deps, call, readConfigChange(request.body)));
    },
  );

  for (const { path, name } of [
    { path: '/slug/:slug/config', name: 'Default' },
    { path: '/slug/:slug/config/:configId', name: '' },
  ]) {
    const params = z.object({ slug: z.string(), configId: z.string().optional() });
    app.get(
      `${base}${path}`,
      {
        config: { auth },
        schema: {
          tags,
          summary: 'Read a config',
          operationId: `getInstalledConfig${name}${suffix}`,
          params,
          response: { 200: configShape },
        },
      },
      async (request) => {
        const { slug, configId } = request.params;
        return shapeConfig(await getConfig(deps, configCall(request, slug, configId)));
      },
    );
    app.delete(
      `${base}${path}`,
      {
        // With a config go the switches in it: what runs for it stops.
        config: { auth, changesWorkflows: true },
        schema: {
          tags,
          summary: 'Delete a config; the connection stays',
          operationId: `deleteConfig${name}${suffix}`,
          params,
          response: { 200: z.object({ message: z.string() }) },
        },
      },
      async (request) => {
        const { slug, configId } = request.params;
        await deleteConfig(deps, configCall(request, slug, configId));
        return { message: 'Installation Deleted Success' };
      },
    );
  }
}

function listAndSwitchRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/v2/public/slug/:slug/configs',
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'List the configs of an app',
        operationId: 'listConfigsForApplication',
        params: z.object({ slug: z.string() }),
        response: { 200: z.array(z.object({ _id: z.string(), config_id: z.string() })) },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const rows = await configsOf(deps, tenant, linkedAccount.id, request.params.slug);
      return rows.map(({ id, config_id }) => ({ _id: id, config_id }));
    },
  );

  // Older clients send PUT.
  for (const method of ['PATCH', 'PUT'] as const) {
    app.route({
      method,
      url: '/api/v2/public/slug/:slug/config/:configId/workflows/:workflowId',
      config: { auth: 'account', changesWorkflows: true },
      schema: {
        tags,
        summary: 'Switch a workflow on or off',
        operationId: method === 'PATCH' ? 'toggleConfigWorkflow' : 'toggleConfigWorkflowPut',
        params: z.object({ slug: z.string(), configId: z.string(), workflowId: z.string() }),
        body: z.looseObject({ enabled: z.boolean() }),
        response: {
          200: z.object({ workflows: z.array(z.looseObject({ id: z.string(), enabled: z.boolean() })) }),
        },
      },
      handler: async (request) => {
        const { slug, configId, workflowId } = request.params;
        const call = configCall(request, slug, configId);
        const { workflows } = shapeConfig(await switchWorkflow(deps, call, workflowId, request.body.enabled));
        return { workflows: workflows.map((workflow) => ({ ...workflow, data_slots: workflow.fields })) };
      },
    });
  }
}

const fieldPath = z.object({ fieldId: z.string() });
const fieldQuery = z.looseObject({ workflow_id: z.string().optional(), config_id: z.string().optional() });

function fieldCall(request: FastifyRequest, fieldId: string): FieldCall {
  const { workflow_id: workflowId } = request.query as { workflow_id?: string };
  const call = configCall(request, contextValue(request, 'slug'));
  return { ...call, fieldId, workflowId: workflowId === '' ? undefined : workflowId };
}

function fieldRoutes(app: ApiApp, deps: ApiDeps): void {
  const url = '/api/v2/public/config/field/:fieldId';
  app.post(
    '/api/v2/public/config/field',
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'Read a config with the choices of its fields',
        operationId: 'getConfigFields',
        querystring: fieldQuery,
        body: z.unknown(),
        response: { 200: configShape },
      },
    },
    async (request) => shapeConfig(await getConfig(deps, configCall(request, contextValue(request, 'slug')))),
  );

  app.post(
    url,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'Read a field with its choices, for a value of its parent',
        operationId: 'getConfigFieldOptions',
        params: fieldPath,
        querystring: fieldQuery,
        body: z.unknown(),
        response: { 200: configFieldShape },
      },
    },
    async (request) => {
      const value = isRecord(request.body) ? request.body['value'] : undefined;
      return shapeConfigField(await getConfigField(deps, fieldCall(request, request.params.fieldId), value));
    },
  );
  app.get(
    url,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'Read a field with its choices',
        operationId: 'getConfigField',
        params: fieldPath,
        querystring: fieldQuery,
        response: { 200: configFieldShape },
      },
    },
    async (request) =>
      shapeConfigField(await getConfigField(deps, fieldCall(request, request.params.fieldId))),
  );

  app.put(
    url,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'Save the value of one field; null clears it',
        operationId: 'updateConfigField',
        params: fieldPath,
        querystring: fieldQuery,
        body: z.looseObject({ value: z.unknown() }),
        response: { 200: configFieldShape },
      },
    },
    async (request) => {
      if (!('value' in request.body)) throw new AppError('missing_field', { field: 'value' });
      const call = fieldCall(request, request.params.fieldId);
      return shapeConfigField(await setConfigField(deps, call, request.body.value));
    },
  );
  app.delete(
    url,
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'Clear the value of one field',
        operationId: 'deleteConfigField',
        params: fieldPath,
        querystring: fieldQuery,
        response: { 200: configFieldShape },
      },
    },
    async (request) =>
      shapeConfigField(await setConfigField(deps, fieldCall(request, request.params.fieldId), null)),
  );

  ruleEngineRoute(app, deps);
}

const columnShape = z.looseObject({ name: z.string(), type: z.string() });

/** Operators of a rule field when its author wrote none (spec/api §6). */
const defaultOperators = [
  { name: 'equals', value: 'eq' },
  { name: 'does not equal', value: 'neq' },
  { name: 'starts with', value: 'start_with' },
  { name: 'ends with', value: 'end_with' },
  { name: 'is at least', value: 'greater_or_equal' },
  { name: 'is at most', value: 'less_or_equal' },
];

function ruleEngineRoute(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/api/v2/public/config/rule-engine/:fieldId',
    {
      config: { auth: 'account' },
      schema: {
        tags,
        summary: 'Read the columns of a rule for a chosen left side',
        operationId: 'getRuleEngineOptions',
        params: fieldPath,
        querystring: fieldQuery,
        body: z.looseObject({ rule_column: z.looseObject({ lhs: z.unknown().optional() }).optional() }),
        response: {
          200: z.object({
            rule_column: z.object({ rhs: columnShape, operator: columnShape }),
            conditional_code_stdout: z.array(z.string()),
          }),
        },
      },
    },
    async (request) => {
      const call = { ...fieldCall(request, request.params.fieldId), withOptions: false };
      const { field, definition } = await getConfigField(deps, call);
      if (field.field_type !== 'rule_engine') {
        const reason = `"${field.name}" is a ${field.field_type} field; only rule_engine fields have rule columns.`;
        throw new AppError('wrong_state', { reason });
      }
      const columns = definition.ruleColumns;
      const lhs = asText(request.body.rule_column?.lhs);
      const own = columns !== undefined && Object.hasOwn(columns, lhs) ? columns[lhs] : undefined;
      const { rhs, operator } = isRecord(own) ? own : {};
      return {
        rule_column: {
          rhs: { name: 'Value', type: 'text', options: [], ...(isRecord(rhs) ? rhs : {}) },
          operator: {
            name: 'Operator',
            type: 'select',
            options: defaultOperators,
            ...(isRecord(operator) ? operator : {}),
          },
        },
        conditional_code_stdout: [],
      };
    },
  );
}
