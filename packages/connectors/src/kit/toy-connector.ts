/** A small connector for the kit's own tests, and a port that answers from a list. */
import { action } from '#kit/action';
import { bearer, keybased, oauth2 } from '#kit/auth';
import { connector, type Connector, type ConnectorSpec } from '#kit/connector';
import { field } from '#kit/field';
import { options } from '#kit/options';
import { type ApiRequest, type ApiResponse, get, type HttpPort, path, post } from '#kit/request';
import { refuseStandardWebhook } from '#kit/signature';
import { poll, webhook, type WebhookExample, webhookRequest } from '#kit/trigger';
import { createHmac } from 'node:crypto';

interface Row {
  readonly id: string;
  readonly at: string;
}

const spaces = options({
  request: () => get('/spaces'),
  items: 'data',
  option: (row: { readonly id: number; readonly title: string }) => ({
    name: row.title,
    value: String(row.id),
  }),
});

const rooms = options({
  dependsOn: ['space'],
  request: ({ space }) => get('/rooms', { space }),
  items: 'data',
  option: (row: { readonly id: string }) => ({ name: row.id, value: row.id }),
});

const where = {
  space: field.select({ label: 'Space', options: spaces }),
  room: field.select({ label: 'Room', required: false, options: rooms }),
};

export const toyActions = {
  listRows: action({
    label: 'List Rows',
    group: 'Row',
    help: 'Rows of a space.',
    effect: 'read',
    scopes: ['rows'],
    input: where,
    request: (p) => get('/rows', { space: p.space, room: p.room }),
    items: 'data',
    pages: { next: 'next', sendAs: 'cursor' },
  }),
  addRow: action({
    label: 'Add Row',
    group: 'Row',
    help: 'Adds a row.',
    effect: 'repeatable',
    idempotencyHeader: 'Idempotency-Key',
    scopes: ['rows'],
    input: { name: field.text({ label: 'Name' }) },
    request: (p) => post('/rows', { name: p.name }),
  }),
  copyRow: action({
    label: 'Copy Row',
    group: 'Row',
    help: 'Reads a row, adds it twice.',
    effect: 'once',
    idempotencyHeader: 'Idempotency-Key',
    input: { id: field.text({ label: 'ID' }) },
    async run(p, http) {
      const { body } = await http.call(get(path`/rows/${p.id}`));
      await http.call(post('/rows', body));
      return (await http.call(post('/rows', body))).body;
    },
  }),
};

export const rowChanged = poll({
  label: 'Row Changed',
  help: 'A row changed.',
  every: '5m',
  overlap: '1h',
  list: (window) => get('/rows', { since: window.since, until: window.until }),
  items: 'data',
  id: (row: Row) => row.id,
  at: (row) => row.at,
});

const KEY = Buffer.from('a key for tests only');

export function exampleCall(): WebhookExample {
  const now = new Date('2026-03-01T00:00:00Z');
  const seconds = now.getTime() / 1000;
  const rawBody = '{"id":"e1","row":{"id":"1"}}';
  const signature = createHmac('sha256', KEY).update(`m1.${seconds}.${rawBody}`).digest('base64');
  return {
    now,
    secrets: { secret: `whsec_${KEY.toString('base64')}` },
    request: webhookRequest({
      method: 'POST',
      url: 'https://inlay.example/hook',
      headers: {
        'webhook-id': 'm1',
        'webhook-timestamp': String(seconds),
        'webhook-signature': `v1,${signature}`,
      },
      rawBody,
    }),
  };
}

export const rowHook = webhook({
  label: 'Row Hook',
  help: 'A row changed.',
  route: 'connection',
  setup: {
    subscribe: ({ url }) => post('/hooks', { url }),
    read: (body) => ({ id: (body as Row).id, secrets: {} }),
    unsubscribe: ({ id }) => post(path`/hooks/${id}/end`),
  },
  verify: (request, secrets, now) => refuseStandardWebhook(request, secrets['secret'] ?? '', now),
  events: (request) => [{ id: (request.json() as Row).id, data: request.json() }],
  example: exampleCall,
});

/** A connector that keeps every rule, changed as a test likes. */
export function toy(changes: Partial<ConnectorSpec> = {}): Connector {
  return connector({
    home: 'file:///toy/toy.ts',
    slug: 'toy',
    name: 'Toy',
    description: 'For tests.',
    categories: ['test'],
    apiDocs: 'https://api.toy.example/docs',
    baseUrl: 'https://api.toy.example',
    auth: {
      oauth2: oauth2({
        authorizationUrl: 'https://toy.example/authorize',
        tokenUrl: 'https://toy.example/token',
        clientAuth: 'basic',
        pkce: 'required',
        refresh: 'always',
        scopes: { required: { me: 'See who you are' }, optional: { rows: 'Rows' } },
      }),
      keybased: keybased({
        fields: { apiKey: field.secret({ label: 'API key' }) },
        sign: (c) => bearer(c.apiKey),
      }),
    },
    http: { limits: {}, emptyList: (status) => status === 404 },
    check: { request: get('/me'), identifier: () => 'me' },
    options: { spaces, rooms },
    actions: toyActions,
    triggers: { rowChanged, rowHook },
    ...changes,
  });
}

/** An answer, or the rows of one. */
export type Answer = Partial<ApiResponse> | unknown[];

/** Answers requests in order and keeps them. */
export function answering(...answers: readonly Answer[]): HttpPort & { readonly sent: ApiRequest[] } {
  const sent: ApiRequest[] = [];
  return {
    sent,
    async send(request) {
      const answer = answers[sent.length];
      sent.push(request);
      if (answer === undefined) throw new Error(`no answer for ${request.method} ${request.path}`);
      return Array.isArray(answer)
        ? { status: 200, headers: {}, body: { data: answer } }
        : { status: 200, headers: {}, body: null, ...answer };
    },
  };
}
