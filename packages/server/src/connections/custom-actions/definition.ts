import { field, type Fields } from '@inlay/connectors/kit';
import { z } from 'zod';
import { isForbiddenName } from '#domain/exact-json';
import { schemaCompiler } from '#domain/json-schema';
import { pagination } from '#domain/paging';
import { compileTemplate, pathsIn, templateProblems } from '#domain/template';

/** What an organisation writes down of an action that it adds to an app (spec/workflows §12.2). */

const limits = { fields: 100, code: 262_144, json: 262_144 };

/** Names that templates give a meaning of their own. */
const takenNames = new Set(['node', 'group']);

/** Set by the server for every call; a definition's version would be a smuggled credential or a broken message. */
export const reservedHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
]);

const fieldTypes = [
  'text',
  'textarea',
  'email',
  'number',
  'boolean',
  'url',
  'json',
  'map',
  'list',
  'select',
  'date',
  'datetime',
] as const;

const choice = z.union([
  z.string().transform((value) => ({ name: value, value })),
  z.object({ name: z.string().max(500), value: z.string().max(500) }),
]);

const actionField = z
  .object({
    name: z
      .string()
      .regex(/^[A-Za-z_]\w{0,63}$/, 'use letters, digits and _, beginning with a letter')
      .refine((name) => !isForbiddenName(name) && !takenNames.has(name), 'is a name that no field may have'),
    label: z.string().trim().max(200).optional(),
    type: z.enum(fieldTypes, { error: `use one of ${fieldTypes.join(', ')}` }).default('text'),
    required: z.boolean().default(false),
    help: z.string().max(2_000).optional(),
    placeholder: z.string().max(500).optional(),
    default: z.unknown().optional(),
    options: z.array(choice).max(500).optional(),
  })
  .refine(({ type, options }) => type !== 'select' || (options ?? []).length > 0, {
    path: ['options'],
    error: 'list the options to choose from',
  });

const texts = z.record(z.string().min(1).max(200), z.string().max(10_000)).default({});

const headers = texts.refine(
  (given) => Object.keys(given).every((name) => !reservedHeaders.has(name.toLowerCase())),
  {
    error: `may not hold ${[...reservedHeaders].join(', ')}: the credential is that of the connection. To place it elsewhere, use token_injection`,
  },
);

const placedToken = z.object({
  in: z.enum(['header', 'query'], { error: 'use header or query' }),
  name: z.string().trim().min(1).max(200),
  value: z.string().min(1).max(2_000).describe('Reads the credential: `Token {{credential.access_token}}`'),
});

/** The definition as it is stored: everything but names and the certificate. */
export const customActionDefinition = z
  .object({
    fields: z.array(actionField).max(limits.fields).default([]),
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], {
      error: 'use GET, POST, PUT, PATCH or DELETE',
    }),
    base_url: z
      .url({ protocol: /^https?$/, error: 'is not an http(s) address' })
      .optional()
      .describe("In place of the app's own; on one of its hosts"),
    path: z.string().max(2_000).default('').describe('From the base URL; `{id}` stands for the field "id"'),
    query: texts,
    headers,
    body: z.unknown().optional().describe('JSON with `{{field}}` in it, or a text'),
    body_type: z.enum(['json', 'form', 'text'], { error: 'use json, form or text' }).default('json'),
    pre_request_script: z
      .string()
      .max(limits.code)
      .optional()
      .describe('JavaScript: yourFunction({fields, request})'),
    response_schema: z.record(z.string(), z.unknown()).optional(),
    effect: z.enum(['read', 'repeatable', 'once'], { error: 'use read, repeatable or once' }).optional(),
    idempotency_header: z
      .string()
      .regex(/^[\w-]{1,100}$/, 'is no header name')
      .optional(),
    pagination: z.record(z.string(), z.unknown()).optional().describe('As of the HTTP node'),
    token_injection: placedToken.optional(),
    save_to_file: z.boolean().default(false),
    file_name: z.string().max(200).optional(),
    ttl: z
      .int()
      .min(1)
      .max(10 * 365 * 86_400)
      .optional(),
    infinite_expiry: z.boolean().default(false),
  })
  .superRefine((given, ctx) => {
    const wrong = (path: (string | number)[], message: string): void =>
      ctx.addIssue({ code: 'custom', path, message });
    const names = given.fields.map(({ name }) => name);
    names.forEach((name, at) => {
      if (names.indexOf(name) !== at) wrong(['fields', at, 'name'], `"${name}" is there twice`);
    });
    if (given.base_url === undefined && given.path === '') wrong(['path'], 'write the path of the endpoint');
    for (const name of pathFields(given.path)) {
      if (!names.includes(name)) wrong(['path'], `names {${name}}, and there is no such field`);
    }
    for (const part of ['query', 'headers', 'body'] as const) {
      for (const problem of namesProblems(given[part], new Set(names))) wrong([part], problem);
    }
    if (given.token_injection !== undefined) {
      const problems = namesProblems(given.token_injection.value, new Set(['credential']));
      for (const problem of problems) wrong(['token_injection', 'value'], problem);
      if (!given.token_injection.value.includes('{{')) {
        wrong(
          ['token_injection', 'value'],
          'holds no {{credential...}}: a secret does not belong in a definition',
        );
      }
    }
    if (given.response_schema !== undefined) {
      try {
        schemaCompiler()(given.response_schema);
      } catch (error) {
        wrong(['response_schema'], `is no JSON Schema that can be used: ${(error as Error).message}`);
      }
    }
    const paging = given.pagination === undefined ? undefined : pagination.safeParse(given.pagination);
    for (const { path, message } of paging?.error?.issues ?? []) {
      wrong(['pagination', ...path.map(String)], message);
    }
    if (given.save_to_file && given.pagination !== undefined && given.pagination['type'] !== 'none') {
      wrong(['pagination'], 'cannot go together with a response that is kept as a file');
    }
    if (JSON.stringify(given.body ?? null).length > limits.json) wrong(['body'], 'is longer than 256 KiB');
  });

export type CustomActionDefinition = z.output<typeof customActionDefinition>;

/** What stands for a field in a path: `{id}` or `{{id}}`. */
export const pathField = /\{\{\s*(\w+)\s*\}\}|\{(\w+)\}/g;

function pathFields(path: string): string[] {
  return Array.from(path.matchAll(pathField), ([, double, single]) => double ?? single ?? '');
}

/** Templates that are none, and those that name what is not there. */
function namesProblems(value: unknown, known: ReadonlySet<string>): string[] {
  const broken = templateProblems(value, '').map(({ message }) => message);
  if (broken.length > 0) return broken;
  const roots = pathsIn(compileTemplate(value)).map((path) => path.root);
  return [...new Set(roots)]
    .filter((root) => !known.has(root))
    .map((root) => `reads {{${root}}}, and there is only ${[...known].join(', ') || 'nothing to read'}`);
}

/** The fields as the connector kit has them. */
export function fieldsOfDefinition({ fields }: Pick<CustomActionDefinition, 'fields'>): Fields {
  return Object.fromEntries(
    fields.map(({ name, label, type, required, help, placeholder, default: fallback, options }) => {
      const common = {
        label: label === undefined || label === '' ? name : label,
        required,
        ...(help !== undefined && { help }),
        ...(placeholder !== undefined && { placeholder }),
        ...(fallback !== undefined && { default: fallback }),
        ...(options !== undefined && { options }),
      };
      // The makers type their defaults; these come from a person, and are checked like any other value.
      return [name, (field[type] as (spec: object) => Fields[string])(common)];
    }),
  );
}
