import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { api, connect, runningCrm } from './acme-fixture.ts';
import type { AcmeCrm } from './server.ts';
import { demoApiKey } from './seed.ts';

const key = demoApiKey;

interface Contact {
  id: string;
  name: string;
  email: string | null;
  status: string;
  updated_at: string;
}
interface List {
  data: Contact[];
  next_cursor: string | null;
}
interface Problem {
  error: { code: string; message: string; fields?: { field: string; message: string }[] };
}

const listOf = async (response: Response) => (await response.json()) as List;
const problemOf = async (response: Response) => ((await response.json()) as Problem).error;

async function create(crm: AcmeCrm, body: unknown, headers?: Record<string, string>): Promise<Response> {
  return api(crm, 'POST', '/contacts', { key, body, ...(headers && { headers }) });
}

/** A clock that stands still until it is moved. */
function movableClock() {
  let ms = Date.now();
  return {
    now: () => new Date(ms),
    advance(by: number) {
      ms += by;
    },
  };
}

test('an API key of a person opens the same API without OAuth; a wrong one is refused', async (t) => {
  const crm = await runningCrm(t);
  const me = (await (await api(crm, 'GET', '/users/me', { key })).json()) as { email: string };
  assert.equal(me.email, 'ada@analytical.example');
  const wrong = await api(crm, 'GET', '/users/me', { key: 'acme_key_wrong' });
  assert.equal(wrong.status, 401);
  assert.equal((await problemOf(wrong)).code, 'invalid_api_key');
  const none = await api(crm, 'GET', '/contacts');
  assert.equal(none.status, 401);
  assert.match(none.headers.get('www-authenticate') ?? '', /^Bearer/);
});

test('a contact is created, read, changed and deleted', async (t) => {
  const crm = await runningCrm(t);
  const response = await create(crm, { name: 'Emmy Noether', email: 'emmy@noether.example' });
  assert.equal(response.status, 201);
  const contact = (await response.json()) as Contact;
  assert.equal(contact.status, 'lead');
  const changed = await api(crm, 'PATCH', `/contacts/${contact.id}`, { key, body: { status: 'customer' } });
  assert.equal(((await changed.json()) as Contact).name, 'Emmy Noether');
  const read = (await (await api(crm, 'GET', `/contacts/${contact.id}`, { key })).json()) as Contact;
  assert.deepEqual(
    [read.name, read.email, read.status],
    ['Emmy Noether', 'emmy@noether.example', 'customer'],
  );
  assert.equal((await api(crm, 'DELETE', `/contacts/${contact.id}`, { key })).status, 204);
  assert.equal((await api(crm, 'GET', `/contacts/${contact.id}`, { key })).status, 404);
});

test('a company never sees the records of another', async (t) => {
  const crm = await runningCrm(t);
  const { access_token: token } = await connect(crm, { email: 'grace@cobol.example' });
  const [ours] = (await listOf(await api(crm, 'GET', '/contacts', { key }))).data;
  assert.ok(ours);
  for (const [method, body] of [['GET'], ['PATCH', { name: 'Mine now' }], ['DELETE']] as const) {
    const response = await api(crm, method, `/contacts/${ours.id}`, { token, ...(body && { body }) });
    assert.equal(response.status, 404, method);
  }
  const deal = { name: 'Theft', amount: 1, contact_id: ours.id };
  const refused = await problemOf(await api(crm, 'POST', '/deals', { token, body: deal }));
  assert.deepEqual(refused.fields, [{ field: 'contact_id', message: 'is not a contact of this company' }]);
});

test('lists are paged by an opaque cursor, each record once', async (t) => {
  const crm = await runningCrm(t);
  for (let i = 0; i < 7; i += 1) await create(crm, { name: `Person ${i}` });
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page = await listOf(await api(crm, 'GET', `/contacts?limit=4${query}`, { key }));
    assert.ok(page.data.length <= 4);
    seen.push(...page.data.map(({ id }) => id));
    cursor = page.next_cursor;
  }
  assert.equal(seen.length, 10);
  assert.equal(new Set(seen).size, 10);
  for (const query of [
    'limit=101',
    'limit=0',
    'limit=x',
    'cursor=nonsense',
    'updated_since=yesterday',
    'page=2',
  ]) {
    const { fields = [] } = await problemOf(await api(crm, 'GET', `/contacts?${query}`, { key }));
    assert.equal(fields[0]?.field, query.split('=')[0]);
  }
});

test('updated_since answers what changed at or after that time', async (t) => {
  const clock = movableClock();
  const crm = await runningCrm(t, { clock });
  const [first] = (await listOf(await api(crm, 'GET', '/contacts', { key }))).data;
  clock.advance(60_000);
  const since = clock.now().toISOString();
  await api(crm, 'PATCH', `/contacts/${first?.id}`, { key, body: { phone: '+44 1' } });
  const { data } = await listOf(await api(crm, 'GET', `/contacts?updated_since=${since}`, { key }));
  assert.deepEqual(
    data.map(({ id }) => id),
    [first?.id],
  );
});

test('bad input is refused with the name of each wrong field', async (t) => {
  const crm = await runningCrm(t);
  const response = await create(crm, { name: ' ', email: 'nobody', owner_id: 'usr_grace', colour: 'red' });
  assert.equal(response.status, 422);
  const { code, fields = [] } = await problemOf(response);
  assert.equal(code, 'validation_failed');
  assert.deepEqual(fields.map(({ field }) => field).sort(), ['colour', 'email', 'name']);
  const missing = await problemOf(await api(crm, 'POST', '/deals', { key, body: { amount: '5' } }));
  assert.deepEqual(missing.fields, [
    { field: 'name', message: 'is required' },
    { field: 'amount', message: 'must be of the type number' },
  ]);
  const owner = await problemOf(await create(crm, { name: 'A', owner_id: 'usr_grace' }));
  assert.deepEqual(owner.fields, [{ field: 'owner_id', message: 'is not a user of this company' }]);

  const raw = (body: string) =>
    fetch(`${crm.url}/api/v1/contacts`, {
      method: 'POST',
      headers: { 'x-acme-key': key, 'content-type': 'application/json' },
      body,
    });
  assert.equal((await raw('{"name":')).status, 400);
  assert.equal((await raw('{"name":"A","__proto__":{"x":1}}')).status, 400);
  assert.equal((await raw(JSON.stringify({ name: 'A'.repeat(2_000_000) }))).status, 413);
  assert.equal((await raw('[]')).status, 422);
  const unknown = await api(crm, 'GET', '/nothing', { key });
  assert.equal(unknown.status, 404);
  assert.equal((await problemOf(unknown)).code, 'not_found');
});

test('a token without the scope is refused with 403 and the scope it needs', async (t) => {
  const crm = await runningCrm(t);
  const { access_token: token } = await connect(crm, { params: { scope: 'contacts:read' } });
  assert.equal((await api(crm, 'GET', '/contacts', { token })).status, 200);
  const response = await api(crm, 'POST', '/contacts', { token, body: { name: 'A' } });
  assert.equal(response.status, 403);
  assert.match(response.headers.get('www-authenticate') ?? '', /scope="contacts:write"/);
});

test('over the limit is 429 with Retry-After, and after that time it works again', async (t) => {
  const clock = movableClock();
  const crm = await runningCrm(t, { clock, rateLimit: { requests: 2, perSeconds: 10 } });
  clock.advance(10_000 - (clock.now().getTime() % 10_000));
  assert.equal((await api(crm, 'GET', '/contacts', { key })).headers.get('x-ratelimit-remaining'), '1');
  await api(crm, 'GET', '/contacts', { key });
  const refused = await api(crm, 'GET', '/contacts', { key });
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('retry-after'), '10');
  clock.advance(10_000);
  assert.equal((await api(crm, 'GET', '/contacts', { key })).status, 200);
});

test('the same Idempotency-Key gives the same answer for a day and creates once', async (t) => {
  const clock = movableClock();
  const crm = await runningCrm(t, { clock });
  const body = { name: 'Once' };
  const headers = { 'idempotency-key': 'order-1' };
  const answers = await Promise.all(Array.from({ length: 5 }, () => create(crm, body, headers)));
  const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as Contact).id));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
  assert.equal(new Set(ids).size, 1);
  assert.equal(answers.filter((answer) => answer.headers.get('idempotent-replayed') === 'true').length, 4);
  assert.equal((await listOf(await api(crm, 'GET', '/contacts', { key }))).data.length, 4);

  const other = await create(crm, { name: 'Other' }, headers);
  assert.equal((await problemOf(other)).code, 'idempotency_key_reused');
  // A refused request does not use its key up.
  assert.equal((await create(crm, {}, { 'idempotency-key': 'order-2' })).status, 422);
  assert.equal((await create(crm, { name: 'Now right' }, { 'idempotency-key': 'order-2' })).status, 201);
  clock.advance(25 * 3_600_000);
  assert.notEqual(((await (await create(crm, body, headers)).json()) as Contact).id, ids[0]);
});

test('a lost answer leaves the record made, and its key finds it', async (t) => {
  const crm = await runningCrm(t);
  crm.control.setFaults({ api: { dropResponse: true, method: 'POST' } });
  const headers = { 'idempotency-key': 'lost-1' };
  await assert.rejects(create(crm, { name: 'Lost' }, headers));
  const again = await create(crm, { name: 'Lost' }, headers);
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  assert.equal((await listOf(await api(crm, 'GET', '/contacts', { key }))).data.length, 4);
});

test('the control surface over HTTP exists only when switched on', async (t) => {
  const off = await runningCrm(t);
  assert.equal((await fetch(`${off.url}/control/stats`)).status, 404);
  const crm = await runningCrm(t, { control: true });
  const order = (body: unknown) =>
    fetch(`${crm.url}/control/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  assert.equal((await order({ api: { status: 200 } })).status, 422);
  assert.equal((await order({ api: { status: 429, retryAfter: 3, path: '/api/v1/contacts' } })).status, 200);
  assert.equal((await api(crm, 'GET', '/deals', { key })).status, 200);
  const limited = await api(crm, 'GET', '/contacts', { key });
  assert.equal(limited.headers.get('retry-after'), '3');
  await api(crm, 'GET', '/contacts', { key });
  const stats = (await (await fetch(`${crm.url}/control/stats`)).json()) as { apiCalls: unknown };
  assert.deepEqual(stats.apiCalls, {
    'GET /api/v1/deals': { 200: 1 },
    'GET /api/v1/contacts': { 429: 1, 200: 1 },
  });
});

test('the OpenAPI document describes the routes and the fields that are checked', async (t: TestContext) => {
  const crm = await runningCrm(t);
  const document = (await (await fetch(`${crm.url}/openapi.json`)).json()) as {
    openapi: string;
    servers: { url: string }[];
    paths: Record<string, Record<string, { operationId?: string }>>;
    components: { schemas: Record<string, { required?: string[]; additionalProperties?: boolean }> };
  };
  assert.equal(document.openapi, '3.1.0');
  // Every described operation exists: without credentials it answers 401, not 404.
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const method of Object.keys(operations).filter((name) => name !== 'parameters')) {
      const url = `${document.servers[0]?.url}${path.replace('{id}', 'x')}`;
      assert.equal((await fetch(url, { method: method.toUpperCase() })).status, 401, `${method} ${path}`);
    }
  }
  const { NewContact, ContactChanges, Contact, NewDeal } = document.components.schemas;
  assert.deepEqual(NewContact?.required, ['name']);
  assert.equal(ContactChanges?.required, undefined);
  assert.deepEqual(NewDeal?.required, ['name', 'amount']);
  const record = (await listOf(await api(crm, 'GET', '/contacts', { key }))).data[0];
  assert.deepEqual(Object.keys(record ?? {}).sort(), [...(Contact?.required ?? [])].sort());
});
