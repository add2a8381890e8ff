import swagger from '@fastify/swagger';
import { createJsonSchemaTransform } from 'fastify-type-provider-zod';
import type { ApiApp } from '#api/app';
import type { AuthRule } from '#api/caller';
import type { ApiDeps } from '#api/deps';

const security: Record<AuthRule, Record<string, string[]>[]> = {
  key: [{ apiKey: [] }],
  'key+account': [{ apiKey: [] }],
  session: [{ sessionToken: [] }],
  account: [{ sessionToken: [] }, { apiKey: [] }],
  'account?': [{ sessionToken: [] }, { apiKey: [] }],
  'key|session': [{ apiKey: [] }, { sessionToken: [] }],
  console: [],
  none: [],
};

/** Rules under which a caller with an API key says for which linked account it acts. */
const namesAccount: ReadonlySet<AuthRule> = new Set(['key+account', 'account', 'account?']);

const text = { type: 'string' } as const;
const errorAnswer = {
  description: 'An error: every 4xx and 5xx has this shape. The codes are in docs/errors.md.',
  type: 'object',
  required: ['status_code', 'http_error_type', 'error_type', 'error_code', 'error', 'message', 'request_id'],
  properties: {
    status_code: { type: 'integer' },
    http_error_type: text,
    error_type: text,
    error_code: text,
    error: text,
    message: { type: 'string', description: 'What is wrong, the value seen, and what to do next.' },
    request_id: { type: 'string', description: 'Also in the header X-Trace-ID.' },
    errors: {
      type: 'array',
      items: { type: 'object', properties: { path: text, message: text } },
    },
  },
};

/** Collects the OpenAPI document from the schemas of the routes; register it before them. */
export async function documentRoutes(app: ApiApp, deps: Pick<ApiDeps, 'config'>): Promise<void> {
  const toJsonSchema = createJsonSchemaTransform({ skipList: [] });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Inlay API',
        version: deps.config.version,
        description:
          "Linked accounts, connections, configuration, events and executions. Compatible with version 2 of Cobalt's API.",
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: deps.config.publicUrl }],
      // In the order in which somebody who integrates meets them; pages and clients keep it.
      tags: [
        { name: 'Linked accounts', description: 'Your customers, as Inlay knows them.' },
        { name: 'Sessions and hosted Connect', description: 'Tokens for browsers, and links to the portal.' },
        {
          name: 'Applications',
          description: 'The apps that customers may connect, and how they are connected.',
        },
        { name: 'Connecting', description: 'OAuth, keys, import and disconnection.' },
        { name: 'Configs', description: 'What each customer chose, and which workflows are on.' },
        { name: 'Events', description: 'What happens in your product and starts workflows.' },
        { name: 'Workflows', description: 'Making, publishing and executing them.' },
        { name: 'Schedules', description: 'Workflows that run by the clock for one customer.' },
        {
          name: 'Polling triggers',
          description: 'Endpoints of apps that start workflows by what they list.',
        },
        {
          name: 'Environment Variables',
          description: 'Values that workflows read by name, secrets among them.',
        },
        { name: 'Tables', description: 'Rows that workflows keep, of the workspace or of one customer.' },
        { name: 'Data references', description: 'Which record of yours is which record in an app.' },
        { name: 'Data stores', description: 'Rows that workflows keep, read by config.' },
        { name: 'Human tasks', description: 'Forms that workflows wait for, and their answers.' },
        { name: 'Executions', description: 'What ran, step by step; stopping and running again.' },
        {
          name: 'Actions',
          description: 'One call of an app with a customer’s connection, without a workflow.',
        },
        { name: 'Health', description: 'For load balancers and monitors.' },
      ],
      components: {
        securitySchemes: {
          apiKey: {
            type: 'apiKey',
            in: 'header',
            name: 'x-api-key',
            description: 'For your backend. The key selects organization and environment.',
          },
          sessionToken: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: 'For the browser of one linked account.',
          },
        },
      },
    },
    transform(document) {
      const { url, route } = document;
      const rule = route.config?.auth ?? 'none';
      if (!isPublic(url) || document.schema === undefined) return { schema: { hide: true }, url };
      const { schema } = toJsonSchema(document);
      return {
        url,
        schema: {
          ...schema,
          security: security[rule],
          ...(namesAccount.has(rule) && {
            headers: {
              type: 'object',
              properties: {
                linked_account_id: {
                  type: 'string',
                  description:
                    'With an API key: the linked account to act for. Also taken from query or body.',
                },
              },
            },
          }),
          response: { ...(schema as { response?: object }).response, default: errorAnswer },
        },
      };
    },
  });

  // Built once, when somebody first asks: it walks every schema.
  let document: string | undefined;
  app.get('/openapi.json', { config: { auth: 'none' }, schema: { hide: true } }, (_request, reply) => {
    document ??= JSON.stringify(app.swagger());
    return reply
      .type('application/json; charset=utf-8')
      .header('access-control-allow-origin', '*')
      .serializer((body: string) => body)
      .send(document);
  });
}

/** The wire and the health checks; the dashboard's and the portal's own calls may change without notice. */
function isPublic(url: string): boolean {
  return /^\/api\/v[123]\//.test(url) || url === '/healthz' || url === '/readyz';
}
