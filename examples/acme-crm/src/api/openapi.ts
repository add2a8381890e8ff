import { z } from 'zod';
import { type Scope, scopeWords } from '../scopes.ts';
import { contacts } from './contacts.ts';
import { deals } from './deals.ts';
import { listQuery } from './paging.ts';
import { changesOf, type Resource } from './resource.ts';
import { subscriptionFields } from './webhook-subscriptions.ts';

type Json = Record<string, unknown>;

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: Json): Json => ({ 'application/json': { schema } });
const answer = (description: string, schema?: Json): Json => ({
  description,
  ...(schema && { content: json(schema) }),
});
const body = (schema: Json): Json => ({ required: true, content: json(schema) });
const idParameter: Json = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };
const idempotencyParameter: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'The same key within 24 hours gives the same answer again and creates nothing.',
  schema: { type: 'string', maxLength: 255 },
};

function refusals(...statuses: (401 | 403 | 404 | 422 | 429)[]): Json {
  const words = {
    401: 'The credentials are missing, expired or revoked.',
    403: 'The token lacks a scope.',
    404: 'There is no such thing in this company.',
    422: 'Some fields are not valid; each is named.',
    429: 'Too many requests; Retry-After says how many seconds to wait.',
  };
  return Object.fromEntries(statuses.map((status) => [status, answer(words[status], ref('Error'))]));
}

function secured(...scopes: Scope[]): Json {
  return { security: [{ oauth2: scopes }, { apiKey: [] }] };
}

function listParameters(): Json[] {
  const { properties = {} } = jsonSchema(listQuery, 'input') as { properties?: Record<string, Json> };
  return Object.entries(properties).map(([name, { description, ...schema }]) => {
    // Zod cannot see through a coerced number; a query value is a number all the same.
    const described = name === 'limit' ? { type: 'integer', minimum: 1, maximum: 100, default: 25 } : schema;
    return { name, in: 'query', description, schema: described };
  });
}

function listOf(schema: Json): Json {
  return {
    type: 'object',
    required: ['data', 'next_cursor'],
    properties: { data: { type: 'array', items: schema }, next_cursor: { type: ['string', 'null'] } },
  };
}

function resourcePaths(resource: Resource, name: string): Json {
  const { kind, path } = resource;
  const read = `${kind}s:read` as const;
  const write = `${kind}s:write` as const;
  return {
    [path]: {
      get: {
        operationId: `list${name}s`,
        summary: `List ${kind}s, oldest first`,
        ...secured(read),
        parameters: listParameters(),
        responses: { 200: answer(`A page of ${kind}s`, listOf(ref(name))), ...refusals(401, 403, 422, 429) },
      },
      post: {
        operationId: `create${name}`,
        summary: `Create a ${kind}`,
        ...secured(write),
        parameters: [idempotencyParameter],
        requestBody: body(ref(`New${name}`)),
        responses: { 201: answer(`The new ${kind}`, ref(name)), ...refusals(401, 403, 422, 429) },
      },
    },
    [`${path}/{id}`]: {
      parameters: [idParameter],
      get: {
        operationId: `get${name}`,
        summary: `Get a ${kind}`,
        ...secured(read),
        responses: { 200: answer(`The ${kind}`, ref(name)), ...refusals(401, 403, 404, 429) },
      },
      patch: {
        operationId: `update${name}`,
        summary: `Change the fields that are sent`,
        ...secured(write),
        requestBody: body(ref(`${name}Changes`)),
        responses: {
          200: answer(`The ${kind} after the change`, ref(name)),
          ...refusals(401, 403, 404, 422, 429),
        },
      },
      delete: {
        operationId: `delete${name}`,
        summary: `Delete a ${kind}`,
        ...secured(write),
        responses: { 204: answer('Deleted'), ...refusals(401, 403, 404, 429) },
      },
    },
  };
}

function resourceSchemas(resource: Resource, name: string): Json {
  const stored = jsonSchema(resource.fields, 'output') as { properties: Json; required: string[] };
  return {
    [`New${name}`]: jsonSchema(resource.fields, 'input'),
    [`${name}Changes`]: jsonSchema(changesOf(resource.fields), 'input'),
    [name]: {
      type: 'object',
      required: ['id', ...stored.required, 'created_at', 'updated_at'],
      properties: {
        id: { type: 'string' },
        ...stored.properties,
        created_at: { type: 'string', format: 'date-time' },
        updated_at: { type: 'string', format: 'date-time' },
      },
    },
  };
}

const userSchema: Json = {
  type: 'object',
  required: ['id', 'email', 'name', 'company'],
  properties: {
    id: { type: 'string' },
    email: { type: 'string', format: 'email' },
    name: { type: 'string' },
    company: {
      type: 'object',
      required: ['id', 'name'],
      properties: { id: { type: 'string' }, name: { type: 'string' } },
    },
  },
};

const errorSchema: Json = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        fields: {
          type: 'array',
          items: {
            type: 'object',
            required: ['field', 'message'],
            properties: { field: { type: 'string' }, message: { type: 'string' } },
          },
        },
      },
    },
  },
};

function subscriptionSchemas(): Json {
  const { properties } = jsonSchema(subscriptionFields, 'output') as { properties: Json };
  const kept = { id: { type: 'string' }, ...properties, created_at: { type: 'string', format: 'date-time' } };
  const required = Object.keys(kept);
  const secret = {
    type: 'string',
    description: 'The key of the signature, shown only now (whsec_ + base64).',
  };
  return {
    NewWebhookSubscription: jsonSchema(subscriptionFields, 'input'),
    WebhookSubscription: { type: 'object', required, properties: kept },
    WebhookSubscriptionWithSecret: {
      type: 'object',
      required: [...required, 'secret'],
      properties: { ...kept, secret },
    },
  };
}

/** The OpenAPI 3.1 description of the REST API, made from the schemas that check its requests. */
export function openApiDocument(publicUrl: string): Json {
  return {
    openapi: '3.1.0',
    info: { title: 'Acme CRM API', version: '1.0.0', description: 'Contacts, deals and users of a company.' },
    servers: [{ url: `${publicUrl}/api/v1` }],
    paths: {
      ...resourcePaths(contacts, 'Contact'),
      ...resourcePaths(deals, 'Deal'),
      '/users': {
        get: {
          operationId: 'listUsers',
          summary: 'List the people of the company',
          ...secured('users:read'),
          parameters: listParameters(),
          responses: { 200: answer('A page of users', listOf(ref('User'))), ...refusals(401, 403, 422, 429) },
        },
      },
      '/users/me': {
        get: {
          operationId: 'getCurrentUser',
          summary: 'Who the caller is',
          ...secured('users:read'),
          responses: { 200: answer('The user', ref('User')), ...refusals(401, 403, 429) },
        },
      },
      '/webhook-subscriptions': {
        get: {
          operationId: 'listWebhookSubscriptions',
          summary: 'List the subscriptions of this app or key',
          ...secured(),
          responses: {
            200: answer('All of them', listOf(ref('WebhookSubscription'))),
            ...refusals(401, 429),
          },
        },
        post: {
          operationId: 'createWebhookSubscription',
          summary: 'Subscribe to changes',
          description:
            'Needs the scope to read each kind of event. Deliveries are signed as Standard Webhooks says ' +
            '(webhook-id, webhook-timestamp, webhook-signature) and carry the company in `company_id`.',
          ...secured(),
          requestBody: body(ref('NewWebhookSubscription')),
          responses: {
            201: answer('The subscription with its secret', ref('WebhookSubscriptionWithSecret')),
            ...refusals(401, 403, 422, 429),
          },
        },
      },
      '/webhook-subscriptions/{id}': {
        parameters: [idParameter],
        delete: {
          operationId: 'deleteWebhookSubscription',
          summary: 'End a subscription',
          ...secured(),
          responses: { 204: answer('Ended'), ...refusals(401, 404, 429) },
        },
      },
    },
    components: {
      schemas: {
        ...resourceSchemas(contacts, 'Contact'),
        ...resourceSchemas(deals, 'Deal'),
        ...subscriptionSchemas(),
        User: userSchema,
        Error: errorSchema,
      },
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-Acme-Key' },
        oauth2: {
          type: 'oauth2',
          flows: {
            authorizationCode: {
              authorizationUrl: `${publicUrl}/oauth/authorize`,
              tokenUrl: `${publicUrl}/oauth/token`,
              refreshUrl: `${publicUrl}/oauth/token`,
              scopes: scopeWords,
            },
            clientCredentials: { tokenUrl: `${publicUrl}/oauth/token`, scopes: scopeWords },
          },
        },
      },
    },
  };
}
