import { z } from 'zod';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import {
  allFunctions,
  changeFunction,
  createFunction,
  deleteFunction,
  functionLibrary,
  getFunction,
} from '#functions/index';

const tags = ['Dashboard: functions'];
const idPath = z.object({ id: z.string() });

const fieldShape = z.object({
  name: z.string(),
  type: z.enum(['any', 'string', 'number', 'boolean', 'array', 'object']).default('any'),
  required: z.boolean().default(false),
  description: z.string().max(1_000).default(''),
});

const functionShape = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  /** A built-in one can be called, not changed. */
  is_built_in: z.boolean(),
  version: z.int().optional(),
  language: z.enum(['javascript', 'python']).optional(),
  code: z.string().optional(),
  inputs: z.array(fieldShape),
  outputs: z.array(fieldShape),
  created_at: z.string().optional(),
  updated_at: z.string().optional(),
});

const functionBody = z.object({
  name: z.string().optional(),
  description: z.string().max(2_000).optional(),
  language: z.enum(['javascript', 'python']).optional(),
  code: z.string().optional(),
  inputs: z.array(fieldShape).optional(),
  outputs: z.array(fieldShape).optional(),
});

/** Functions that the tenant's workflows share, and the built-in ones. */
export function adminFunctionRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/functions',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List functions, your own and the built-in ones',
        response: { 200: z.object({ functions: z.array(functionShape) }) },
      },
    },
    async (request) => {
      const own = await allFunctions(deps, consoleOf(request).tenant);
      const builtIn = functionLibrary.map(({ id, name, description, inputs, outputs }) => ({
        id,
        name,
        description,
        inputs: [...inputs],
        outputs: [...outputs],
        is_built_in: true,
      }));
      return { functions: [...own.map(shape), ...builtIn] };
    },
  );

  app.post(
    '/api/admin/functions',
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Create a function', body: functionBody, response: { 200: functionShape } },
    },
    async (request) => shape(await createFunction(deps, consoleOf(request).tenant, request.body)),
  );

  app.get(
    '/api/admin/functions/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Read a function',
        params: idPath,
        querystring: z.object({ version: z.coerce.number().int().positive().optional() }),
        response: { 200: functionShape },
      },
    },
    async (request) =>
      shape(await getFunction(deps, consoleOf(request).tenant, request.params.id, request.query.version)),
  );

  app.patch(
    '/api/admin/functions/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Change a function: other code or fields make a new version',
        params: idPath,
        body: functionBody,
        response: { 200: functionShape },
      },
    },
    async (request) =>
      shape(await changeFunction(deps, consoleOf(request).tenant, request.params.id, request.body)),
  );

  app.delete(
    '/api/admin/functions/:id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Delete a function: nodes that call it fail from then on',
        params: idPath,
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async (request) => {
      await deleteFunction(deps, consoleOf(request).tenant, request.params.id);
      return { ok: true as const };
    },
  );
}

function shape(stored: Awaited<ReturnType<typeof getFunction>>): z.output<typeof functionShape> {
  return {
    id: stored.id,
    name: stored.name,
    description: stored.description,
    is_built_in: false,
    version: stored.version,
    language: stored.language,
    code: stored.code,
    inputs: stored.inputs,
    outputs: stored.outputs,
    created_at: wireTime(stored.created_at),
    updated_at: wireTime(stored.updated_at),
  };
}
