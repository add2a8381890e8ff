import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { systemClock } from '#domain/clock';
import { newId } from '#domain/ids';
import { createEngine, nodeRegistry, type Engine, type NodeServices, type StartInput } from '#engine/index';
import { done, failed } from '#engine/nodes/node-type';
import { response } from '#engine/nodes/response';
import { start } from '#engine/nodes/start';
import { createDefinition, setValue } from '#variables/index';
import { sealContext } from '#vault/index';
import { endOf, published, scriptedNode } from '#engine/testing';
import { testVault } from '#vault/testing';

let database: TestDatabase;
let engine: Engine;
const vault = testVault('recording');
const tenant = { orgId: newId(), environment: 'test' as const };
const linkedAccount = { id: newId(), accountId: 'ann' };
const apiKey = 'sk-live-51H8xT0pSecret';
const clientSecret = 'own/app+secret=1';

const { act, acts } = scriptedNode({ hasPages: true });

before(async () => {
  database = await createTestDatabase();
  const { pool, db } = database;
  await pool.query(`insert into organization (id, name, slug) values ($1, 'T', 't')`, [tenant.orgId]);
  await pool.query(
    `insert into linked_account (id, org_id, environment, account_id, udf, org_credentials_sealed)
     values ($1, $2, 'test', 'ann', '[{"key_name":"plan","key_value":"gold"}]', $3)`,
    [
      linkedAccount.id,
      tenant.orgId,
      vault.sealJson(
        { ClientSecret: clientSecret },
        sealContext('linked_account.org_credentials_sealed', linkedAccount.id),
      ),
    ],
  );
  const secret = { name: 'API_KEY', scope: 'org', format: 'string', isEncrypted: true } as const;
  const { id } = await createDefinition({ db }, tenant, secret, 'test');
  await setValue({ db, vault }, tenant, { definitionId: id, value: apiKey }, 'test');
  engine = await openEngine();
  engine.start();
});
after(async () => {
  await engine.drain(2_000);
  await database.drop();
});

function openEngine(): Promise<Engine> {
  const { pool, db, url } = database;
  const log = pino({ level: 'silent' });
  return createEngine(
    { pool, db, clock: systemClock, log, vault, services: {} as NodeServices },
    { databaseUrl: url, concurrency: 50, registry: nodeRegistry([start, response, act]) },
  );
}

type Node = readonly [id: string, name: string, settings?: Record<string, unknown>];

/** A chain of `act` nodes behind Start. */
function chain(...nodes: Node[]): StartInput {
  const ids = ['1', ...nodes.map(([id]) => id)];
  return {
    workflowId: newId(),
    document: {
      nodes: [
        { id: '1', node_type: 'start', name: 'Start', data: {} },
        ...nodes.map(([id, name, data = {}]) => ({
          id,
          node_type: name === 'response' ? 'response' : 'act',
          name: `Node ${id}`,
          data: { name, retry_policy: { strategy: 'fixed', delay: 0, max_attempts: 2 }, ...data },
        })),
      ],
      edges: ids.slice(1).map((target, index) => ({ source: ids[index], target })),
      settings: {},
    },
    linkedAccount,
    configId: 'ann',
    source: 'api_call',
    payload: { n: 7 },
  };
}

const ended = (executionId: string) => endOf(engine, tenant, executionId);

async function ran(input: StartInput) {
  return ended((await engine.startExecution(tenant, input)).executionId);
}

/** Everything that the database keeps of an execution in readable form. */
async function keptPages(executionId: string): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>(
    `select count(*)::int as count from journal where execution_id = $1 and kind = 'batch'`,
    [executionId],
  );
  return rows[0]!.count;
}

async function storedText(executionId: string): Promise<string> {
  const { rows } = await database.pool.query<{ text: string }>(
    `select string_agg(concat_ws(' ', j.input, j.output, j.error, j.console, j.variables, i.content, o.content), ' ')
        || coalesce((select e.error_text from execution e where e.id = $1), '') as text
     from journal j left join blob i on i.hash = j.input_blob left join blob o on o.hash = j.output_blob
     where j.execution_id = $1`,
    [executionId],
  );
  return rows[0]?.text ?? '';
}

describe('a secret is in no log, whatever node shows it and in whatever form', () => {
  test('an encrypted variable reaches the node and is masked in its request, answer, console and error', async () => {
    const seen: unknown[] = [];
    acts.set('echo', (ctx, value) => {
      seen.push(value);
      ctx.log('info', `sending ${String(value)}`);
      return done({
        plain: value,
        basic: `Basic ${Buffer.from(`user:${apiKey}`).toString('base64')}`,
        [`key ${apiKey}`]: 1,
      });
    });
    acts.set('refuse', (_ctx, value) =>
      failed({ message: `401 for ${String(value)}`, status: 401, body: { token: apiKey }, retry: 'never' }),
    );
    const detail = await ran(
      chain(
        ['2', 'echo', { value: 'Bearer {{env.org.API_KEY}}' }],
        ['3', 'refuse', { value: '{{node.2.body.plain}} {{API_KEY}}' }],
      ),
    );
    assert.deepEqual(seen, [`Bearer ${apiKey}`]);
    assert.equal(detail.header.state, 'errored');
    assert.equal(detail.header.errorText, '401 for Bearer [REDACTED] [REDACTED]');
    const shown = JSON.stringify(detail) + (await storedText(detail.header.id));
    assert.ok(!shown.includes(apiKey));
    assert.ok(!shown.includes(Buffer.from(`user:${apiKey}`).toString('base64').slice(8, -4)));
    assert.deepEqual(detail.nodes[1]?.console, [{ level: 'info', text: 'sending Bearer [REDACTED]' }]);
    assert.deepEqual(detail.nodes[2]?.error, {
      message: '401 for Bearer [REDACTED] [REDACTED]',
      status: 401,
      body: { token: '[REDACTED]' },
    });
  });

  test("the account's own credentials are readable in templates and masked as well", async () => {
    const seen: unknown[] = [];
    acts.set(
      'sign',
      (_ctx, value) => (seen.push(value), done({ url: `https://x/?s=${encodeURIComponent(clientSecret)}` })),
    );
    const detail = await ran(
      chain([
        '2',
        'sign',
        {
          value:
            '{{linked_account.auth_credentials.ClientSecret}}/{{linked_account.auth_credentials.clientsecret}}',
        },
      ]),
    );
    assert.deepEqual(seen, [`${clientSecret}/`], 'names are case-sensitive');
    assert.deepEqual(detail.nodes[1]?.output, { url: 'https://x/?s=[REDACTED]' });
    assert.ok(!(await storedText(detail.header.id)).includes(clientSecret));
  });

  test('a sync caller gets the true answer, and an error without the secret', async () => {
    acts.set('throw', (_ctx, value) => failed({ message: `no: ${String(value)}`, retry: 'never' }));
    const good = await engine.runSync(tenant, {
      ...chain(['2', 'response', { data: { key: '{{API_KEY}}' } }]),
      timeoutMs: 5_000,
    });
    assert.deepEqual(good.returnValue, { key: apiKey });
    assert.deepEqual((await engine.readAnswer(tenant, good.executionId)).answer, { key: apiKey });
    assert.ok(!JSON.stringify(await engine.read(tenant, good.executionId)).includes(apiKey));
    const bad = await engine.runSync(tenant, {
      ...chain(['2', 'throw', { value: '{{API_KEY}}' }]),
      timeoutMs: 5_000,
    });
    assert.equal(bad.error?.message, 'no: [REDACTED]');
  });
});

describe('custom output', () => {
  const orders = {
    total: 2,
    internal: 'x',
    lines: [
      { iban: 'DE02120300000000202051', n: 1 },
      { iban: 'FR7630006000011234567890189', n: 2 },
    ],
  };

  test('fields that are not included vanish for everyone downstream', async () => {
    const seen: unknown[] = [];
    acts.set('orders', () => done(orders));
    acts.set('see', (_ctx, value) => (seen.push(value), done(null)));
    const detail = await ran(
      chain(
        ['2', 'orders', { custom_output: { include: ['total', 'lines.*.n'] } }],
        ['3', 'see', { value: { all: '{{node.2.body}}', gone: '{{node.2.body.internal}}' } }],
      ),
    );
    assert.deepEqual(seen, [{ all: { total: 2, lines: [{ n: 1 }, { n: 2 }] }, gone: '' }]);
    assert.deepEqual(detail.nodes[1]?.output, { total: 2, lines: [{ n: 1 }, { n: 2 }] });
  });

  test('encrypted fields reach later nodes true, are redacted everywhere, and taint what they appear in', async () => {
    const seen: unknown[] = [];
    acts.set('orders', () => done(orders));
    acts.set('pay', (ctx, value) => {
      seen.push(value);
      ctx.log('info', `paying to ${orders.lines[0]!.iban}`);
      return done({ sent: value });
    });
    const detail = await ran(
      chain(
        ['2', 'orders', { custom_output: { encrypt: ['lines.*.iban', 'total'] } }],
        ['3', 'pay', { value: '{{node.2.body.lines[0].iban}} of {{node.2.body.total}}' }],
      ),
    );
    assert.deepEqual(seen, [`${orders.lines[0]!.iban} of 2`]);
    assert.deepEqual(detail.nodes[1]?.output, {
      total: '[REDACTED]',
      internal: 'x',
      lines: [
        { iban: '[REDACTED]', n: 1 },
        { iban: '[REDACTED]', n: 2 },
      ],
    });
    assert.deepEqual(detail.nodes[2]?.output, { sent: '[REDACTED] of 2' });
    const stored = await storedText(detail.header.id);
    for (const { iban } of orders.lines) assert.ok(!stored.includes(iban));
  });

  test('a hidden request leaves neither request nor response in the log, and the response still flows', async () => {
    const seen: unknown[] = [];
    acts.set('quiet', (ctx) => (ctx.log('info', 'spoken'), done({ a: 'private answer' })));
    acts.set('see', (_ctx, value) => (seen.push(value), done(null)));
    const detail = await ran(
      chain(
        ['2', 'quiet', { hide_node_request: true, value: 'private question' }],
        ['3', 'see', { value: '{{node.2.body.a}}', hide_node_request: true }],
      ),
    );
    assert.deepEqual(seen, ['private answer']);
    const [, quiet] = detail.nodes;
    assert.deepEqual([quiet?.input, quiet?.output, quiet?.console], ['[HIDDEN]', '[HIDDEN]', []]);
    assert.ok(!/private|spoken/.test(await storedText(detail.header.id)));
  });
});

test('a run that goes on after its worker died has the true values, not the copy that people see', async () => {
  const seen: unknown[] = [];
  const died = Promise.withResolvers<void>();
  let isFirst = true;
  acts.set('secretly', () =>
    done({ pin: 1234, iban: 'GB29NWBK60161331926819', deep: { long: `x${apiKey}y` } }),
  );
  acts.set('fail-soft', () =>
    failed({ message: `refused ${apiKey}`, body: { why: apiKey }, retry: 'never' }),
  );
  acts.set('die-once', (ctx, value) => {
    seen.push(value);
    ctx.log('info', JSON.stringify(value));
    if (!isFirst) return done(value);
    isFirst = false;
    died.resolve();
    return new Promise(() => undefined);
  });
  const { executionId } = await engine.startExecution(
    tenant,
    chain(
      ['2', 'secretly', { custom_output: { encrypt: ['pin', 'iban'] }, value: '{{API_KEY}}' }],
      ['3', 'fail-soft', { skip_on_error: true }],
      ['4', 'die-once', { value: { a: '{{node.2.body}}', b: '{{node.3.body.error.why}}' } }],
    ),
  );
  await died.promise;
  const old = engine;
  await old.drain(0);
  engine = await openEngine();
  engine.start();
  const detail = await ended(executionId);
  assert.equal(detail.header.state, 'completed', detail.header.errorText ?? '');
  const value = {
    a: { pin: 1234, iban: 'GB29NWBK60161331926819', deep: { long: `x${apiKey}y` } },
    b: apiKey,
  };
  assert.deepEqual(seen, [value, value]);
  const shown = JSON.stringify(detail) + (await storedText(executionId));
  for (const secret of [apiKey, 'GB29NWBK60161331926819']) assert.ok(!shown.includes(secret), secret);
});

test('variables of a run are seen by later nodes, survive a restart, and stand in the execution record', async () => {
  const seen: unknown[] = [];
  const died = Promise.withResolvers<void>();
  let isFirst = true;
  acts.set('set', (ctx) => (ctx.variables.set({ cursor: 5, key: apiKey, other: 1 }), done(null)));
  acts.set('get', (ctx) => {
    seen.push({ ...ctx.variables.read() });
    ctx.variables.set({ cursor: 6 });
    if (!isFirst) return done(null);
    isFirst = false;
    died.resolve();
    return new Promise(() => undefined);
  });
  const { executionId } = await engine.startExecution(
    tenant,
    chain(['2', 'set', { value: '{{API_KEY}}' }], ['3', 'get']),
  );
  await died.promise;
  await engine.drain(0);
  engine = await openEngine();
  engine.start();
  const detail = await ended(executionId);
  assert.deepEqual(seen, [
    { cursor: 5, key: apiKey, other: 1 },
    { cursor: 5, key: apiKey, other: 1 },
  ]);
  assert.deepEqual({ ...detail.variables }, { cursor: 6, key: '[REDACTED]', other: 1 });
});

test('pages that were read are not read again after a failure or a restart', async () => {
  const reads: number[] = [];
  const died = Promise.withResolvers<void>();
  let hasFailed = false;
  let hasDied = false;
  const begunAt: number[] = [];
  acts.set('pages', async (ctx) => {
    begunAt.push(ctx.begunAt.getTime());
    const all: unknown[] = [];
    for (let index = 0; index < 5; index += 1) {
      const page = await ctx.page(index, async () => {
        reads.push(index);
        if (index === 2 && !hasFailed) {
          hasFailed = true;
          throw new Error('the network');
        }
        if (index === 4 && !hasDied) {
          hasDied = true;
          died.resolve();
          await new Promise(() => undefined);
        }
        return { rows: [index], key: `${apiKey}${index}` };
      });
      all.push(page);
    }
    return done(all);
  });
  const { executionId } = await engine.startExecution(
    tenant,
    await published(database.pool, tenant, chain(['2', 'pages', { value: '{{API_KEY}}' }])),
  );
  await died.promise;
  // Pages are written behind the reading: one that a crash takes with it unwritten is read again.
  while ((await keptPages(executionId)) < 4) await new Promise((resolve) => setImmediate(resolve));
  await engine.drain(0);
  engine = await openEngine();
  engine.start();
  const detail = await ended(executionId);
  assert.deepEqual(reads, [0, 1, 2, 2, 3, 4, 4]);
  // Where a time range ends that has no end of its own: the pages of all attempts belong together.
  assert.equal(begunAt.length, 3);
  assert.equal(new Set(begunAt).size, 1, `attempts of one node began at ${begunAt.join(', ')}`);
  assert.deepEqual(
    (await engine.read(tenant, executionId)).nodes[1]?.output,
    [0, 1, 2, 3, 4].map((index) => ({ rows: [index], key: `[REDACTED]${index}` })),
  );
  assert.equal(detail.nodes.length, 2);
  assert.ok(!(await storedText(executionId)).includes(apiKey));
});

test('a huge value is shown in part, and whole on demand; the data that flows on is whole', async () => {
  const seen: unknown[] = [];
  const rows = Array.from({ length: 3_000 }, (_, n) => ({ n, text: 'a line of text that is not short' }));
  acts.set('huge', () => done({ rows, small: 1 }));
  acts.set('count', (_ctx, value) => (seen.push(value), done(value)));
  const detail = await ran(chain(['2', 'huge'], ['3', 'count', { value: '{{node.2.body.rows.length}}' }]));
  assert.deepEqual(seen, [3_000]);
  const [, huge, count] = detail.nodes;
  const shown = huge?.output as { rows: unknown[]; small: number };
  assert.deepEqual(
    [huge?.isCut, shown.rows.length, shown.rows.at(-1), shown.small],
    [true, 51, '… (2950 more)', 1],
  );
  assert.deepEqual([count?.isCut, count?.output], [false, 3_000]);
  const whole = await engine.read(tenant, detail.header.id, undefined, { isWhole: true });
  assert.deepEqual(whole.nodes[1]?.output, { rows, small: 1 });
});

test('scopes: the narrowest variable wins, a workflow value may be a template, one level', async () => {
  const { db, pool } = database;
  const workflowId = newId();
  await pool.query(
    `insert into workflow (id, draft_id, org_id, environment, name, draft) values ($1, $1 || 'd', $2, 'test', 'W', '{}')`,
    [workflowId, tenant.orgId],
  );
  const put = async (
    name: string,
    scope: 'org' | 'workspace' | 'linked_account' | 'workflow',
    value: string,
    format: 'string' | 'number' = 'string',
  ) => {
    const { id } = await createDefinition({ db }, tenant, { name, scope, format, isEncrypted: false }, 't');
    const owner = {
      ...(scope === 'linked_account' && { accountId: 'ann' }),
      ...(scope === 'workflow' && { workflowId }),
    };
    await setValue({ db, vault }, tenant, { definitionId: id, value, ...owner }, 't');
  };
  await put('REGION', 'org', 'org');
  await put('REGION', 'workspace', 'workspace');
  await put('ZONE', 'org', 'org');
  await put('ZONE', 'workspace', 'workspace');
  await put('ZONE', 'linked_account', 'account');
  await put('NAME', 'org', 'org');
  await put('NAME', 'linked_account', 'account');
  await put('NAME', 'workflow', 'workflow {{env.org.ZONE}} {{API_KEY}} {{linked_account.udf.plan}}');
  await put('NESTED', 'workflow', '{{env.workflow.NAME}}');
  await put('LIMIT', 'org', '12.5', 'number');
  await put('BIG', 'org', '90071992547409931', 'number');
  const seen: unknown[] = [];
  acts.set('see', (_ctx, value) => (seen.push(value), done(value)));
  const value = {
    region: '{{REGION}}',
    zone: '{{ZONE}}',
    orgZone: '{{env.org.ZONE}}',
    name: '{{NAME}}',
    nested: '{{NESTED}}',
    limit: '{{env.org.LIMIT}}',
    big: '{{env.org.BIG}}',
    none: '{{env.org.NOTHING || "fallback"}}',
    key: '{{instance_meta_data.idempotency_key}}',
  };
  const detail = await ran({ ...chain(['2', 'see', { value }]), workflowId });
  assert.deepEqual(
    { ...(seen[0] as object), key: null },
    {
      region: 'workspace',
      zone: 'account',
      orgZone: 'org',
      name: `workflow org ${apiKey} gold`,
      nested: 'workflow {{env.org.ZONE}} {{API_KEY}} {{linked_account.udf.plan}}',
      limit: 12.5,
      big: '90071992547409931',
      none: 'fallback',
      key: null,
    },
  );
  assert.match((seen[0] as { key: string }).key, /^[0-9a-f]{32}$/);
  assert.ok(!JSON.stringify(detail).includes(apiKey));
});
