import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { pino } from 'pino';
import { builtInNodes, nodeRegistry } from '#engine/nodes/index';
import { done, failed } from '#engine/nodes/node-type';
import { openTestEngine, scriptedNode, type TestEdge, type TestEngine, type TestNode } from '#engine/testing';
import { createDefinition, setValue } from '#variables/index';

let bench: TestEngine;
let variableId: string;
const apiKey = 'sk-live-51H8xT0pSecret';
const logLines: string[] = [];

/** What came to the node `see`. */
let seen: unknown[] = [];
const { act, acts } = scriptedNode();

before(async () => {
  bench = await openTestEngine({
    registry: nodeRegistry([...builtInNodes.values(), act]),
    log: pino({ level: 'trace' }, { write: (line) => void logLines.push(line) }),
  });
  acts.set('see', (ctx, value) => {
    seen.push(value);
    ctx.log('info', JSON.stringify(value));
    return done(value);
  });
  const secret = { name: 'API_KEY', scope: 'org', format: 'string', isEncrypted: true } as const;
  variableId = (await createDefinition(bench.database, bench.tenant, secret, 'test')).id;
  await setKey(apiKey);
});
after(() => bench.close());
beforeEach(() => {
  seen = [];
});

async function setKey(value: string): Promise<void> {
  const deps = { db: bench.database.db, vault: bench.vault };
  await setValue(deps, bench.tenant, { definitionId: variableId, value }, 'test');
}

/** Publishes a chain of nodes behind Start. */
function chain(nodes: readonly TestNode[], more: Parameters<TestEngine['publish']>[2] = {}): Promise<string> {
  const ids = ['1', ...nodes.map(([id]) => id)];
  const edges = ids.slice(1).map((target, index): TestEdge => [ids[index]!, target]);
  return bench.publish(nodes, edges, more);
}

/** Every row of these tables as text: what somebody finds who reads the database. */
async function stored(): Promise<string> {
  const tables = ['execution', 'journal', 'blob', 'inbox', 'inbox_key', 'wait', 'wait_arrival'];
  const texts = await Promise.all(
    tables.map(async (table) => {
      const { rows } = await bench.database.pool.query<{ text: string }>(
        `select coalesce(string_agg(t::text, E'\\n'), '') as text from ${table} t`,
      );
      return rows[0]!.text;
    }),
  );
  return texts.join('\n');
}

describe('what starts a run is masked before it is stored', () => {
  const payload = { note: `my key is ${apiKey}`, list: [{ token: apiKey }], plain: 'stays' };

  test('a secret that an API call brings is seen by nobody, and reaches the nodes as it is', async () => {
    const workflow = await chain([
      ['2', 'act', { name: 'see', value: '{{event.note}} / {{event.list[0].token}} / {{env.org.API_KEY}}' }],
    ]);
    const headers = { 'x-note': `key=${apiKey}` };
    const { executionId } = await bench.engine.startExecution(bench.tenant, {
      ...bench.inputFor(workflow, payload),
      headers,
    });
    const detail = await bench.ended(executionId);
    assert.deepEqual(seen, [`my key is ${apiKey} / ${apiKey} / ${apiKey}`]);
    assert.deepEqual(detail.nodes[0]?.output, {
      note: 'my key is [REDACTED]',
      list: [{ token: '[REDACTED]' }],
      plain: 'stays',
    });
    const sync = await bench.engine.runSync(bench.tenant, {
      ...bench.inputFor(workflow, payload),
      timeoutMs: 5_000,
    });
    assert.equal(sync.isErrored, false);
    assert.equal(seen.length, 2);
    assert.ok(!(await stored()).includes(apiKey));
  });

  test('a secret that an event brings is neither in the log of events nor in that of the execution', async () => {
    const workflowId = await chain([['2', 'act', { name: 'see', value: '{{API_KEY}} {{event.note}}' }]], {
      start: { trigger: { idempotency: { key: '{event:note}' } } },
    });
    const { executionIds } = await bench.engine.acceptEvent(bench.tenant, {
      event: 'order.created',
      payload,
      linkedAccount: bench.linkedAccount,
      configId: 'ann',
      listeners: [{ workflowId, version: 1, slug: undefined }],
    });
    await bench.ended(executionIds[0]!);
    assert.deepEqual(seen, [`${apiKey} my key is ${apiKey}`]);
    const { rows } = await bench.database.pool.query<{ payload: unknown }>(
      `select payload from inbox where event = 'order.created'`,
    );
    assert.deepEqual(rows[0]?.payload, {
      note: 'my key is [REDACTED]',
      list: [{ token: '[REDACTED]' }],
      plain: 'stays',
    });
    assert.ok(!(await stored()).includes(apiKey));
  });

  test('a rerun keeps the secret of its payload when the variable has another value by then', async () => {
    acts.set('fail', () => failed({ message: 'no', retry: 'never' }));
    const workflow = await chain([
      ['2', 'act', { name: 'see', value: '{{event.note}} {{env.org.API_KEY}}' }],
      ['3', 'act', { name: 'fail' }],
    ]);
    const first = await bench.ended(await bench.start(workflow, payload));
    await setKey('sk-live-another');
    try {
      const again = await bench.engine.rerun(bench.tenant, first.header.id);
      await bench.ended(again.executionId);
      const retry = await bench.engine.retry(bench.tenant, again.executionId, { from: 'node', nodeId: '2' });
      await bench.ended(retry.executionId);
      assert.equal(seen.length, 3);
      assert.deepEqual(seen[2], `my key is ${apiKey} sk-live-another`);
      const text = await stored();
      assert.ok(!text.includes(apiKey) && !text.includes('sk-live-another'));
    } finally {
      await setKey(apiKey);
    }
  });
});

describe('a trigger that encrypts parts of its payload', () => {
  const card = '4242-4242-4242-4242';
  const encrypt = { custom_output: { encrypt: ['cards.*.number', 'pin', 'headers.x-pin'] } };
  const payload = { cards: [{ number: card, kind: 'debit' }], pin: 12, huge: 'x'.repeat(40_000) };

  test('shows [REDACTED] wherever it stands, and gives nodes the true value', async () => {
    const workflowId = await chain(
      [
        [
          '2',
          'act',
          { name: 'see', value: '{{event.cards[0].number}} {{event.pin}} {{event.headers.x-pin}}' },
        ],
      ],
      { start: encrypt },
    );
    const headers = { 'x-pin': 'pin-of-the-caller' };
    const { executionIds } = await bench.engine.acceptEvent(bench.tenant, {
      event: 'card.added',
      payload,
      headers,
      linkedAccount: bench.linkedAccount,
      configId: 'ann',
      listeners: [{ workflowId, version: 1, slug: undefined }],
    });
    const detail = await bench.ended(executionIds[0]!);
    assert.deepEqual(seen, [`${card} 12 pin-of-the-caller`]);
    const shown = detail.nodes[0]?.output as typeof payload;
    assert.deepEqual([shown.cards, shown.pin], [[{ number: '[REDACTED]', kind: 'debit' }], '[REDACTED]']);
    const text = await stored();
    for (const secret of [card, 'pin-of-the-caller']) assert.ok(!text.includes(secret), secret);
  });

  test('hides all of it with hide_node_request, and picks with custom_output.include', async () => {
    const hidden = await chain([['2', 'act', { name: 'see', value: '{{event.pin}}' }]], {
      start: { hide_node_request: true },
    });
    const detail = await bench.ended(await bench.start(hidden, { pin: 4711_0815 }));
    assert.deepEqual([detail.nodes[0]?.output, seen], ['[HIDDEN]', [4711_0815]]);
    const picked = await chain([['2', 'act', { name: 'see', value: '{{event}}' }]], {
      start: { custom_output: { include: ['pin'] } },
    });
    await bench.ended(await bench.start(picked, { pin: 1, other: 2 }));
    assert.deepEqual(seen[1], { pin: 1 });
  });
});

describe('parents and sub-flows', () => {
  test('keep the secrets of each other', async () => {
    const child = await chain(
      [
        ['2', 'act', { name: 'see', value: '{{event.key}}' }],
        ['3', 'act', { name: 'make', custom_output: { encrypt: ['token'] } }],
        ['4', 'response', { data: { got: '{{node.3.body.token}}' } }],
      ],
      {},
    );
    acts.set('make', () => done({ token: 'token-of-the-child' }));
    const parent = await chain([
      [
        '2',
        'sub_flow',
        { workflow: child, payload: { key: 'Bearer {{API_KEY}}' }, wait_for_completion: true },
      ],
      ['3', 'act', { name: 'see', value: '{{node.2.body.return_value.got}}' }],
    ]);
    const detail = await bench.ended(await bench.start(parent));
    assert.equal(detail.header.state, 'completed', detail.header.errorText ?? '');
    assert.deepEqual(seen, [`Bearer ${apiKey}`, 'token-of-the-child']);
    const text = await stored();
    for (const secret of [apiKey, 'token-of-the-child']) assert.ok(!text.includes(secret), secret);
  });

  test('a caller whose execution ran elsewhere gets the answer true, and what went wrong without secrets', async () => {
    acts.set('refuse', (_ctx, value) =>
      failed({ message: 'refused', body: { sent: value }, status: 400, retry: 'never' }),
    );
    const workflow = await chain([['2', 'act', { name: 'refuse', value: '{{API_KEY}}' }]], {
      settings: { concurrency: { limit: 1 } },
    });
    const answer = await bench.engine.runSync(bench.tenant, {
      ...bench.inputFor(workflow),
      timeoutMs: 10_000,
    });
    assert.deepEqual([answer.isErrored, answer.error?.body], [true, { sent: '[REDACTED]' }]);
  });
});

describe('encrypted columns of a table', () => {
  const iban = 'DE02120300000000202051';
  const columns = ['name', { name: 'iban', encrypted: true }, { name: 'pin', encrypted: true }];
  const named = { table_name: 'customers', columns };
  const nodes: TestNode[] = [
    ['2', 'table', { ...named, action: 'create_table' }],
    [
      '3',
      'table',
      { ...named, action: 'add_record', data: { name: 'Ann', iban: 'DE{{event.rest}}', pin: '7' } },
    ],
    ['4', 'table', { ...named, action: 'search_record', search: { name: 'Ann' } }],
    ['5', 'act', { name: 'hold', value: '{{node.4.body[0].iban}} {{node.4.body[0].pin}}' }],
  ];

  test('are encrypted outputs without a word of the author, whoever goes on with the run', async () => {
    const died = Promise.withResolvers<void>();
    let isFirst = true;
    acts.set('hold', (ctx, value) => {
      seen.push(value);
      ctx.log('info', String(value));
      if (!isFirst) return done(value);
      isFirst = false;
      died.resolve();
      return new Promise(() => undefined);
    });
    const first = await bench.another();
    const id = await bench.start(await chain(nodes), { rest: iban.slice(2) });
    await died.promise;
    // Whoever runs it dies; the other one goes on.
    await Promise.all([bench.engine.drain(0), first.drain(0)]);
    await bench.another();
    const detail = await bench.ended(id);
    assert.equal(detail.header.state, 'completed', detail.header.errorText ?? '');
    assert.deepEqual(seen, [`${iban} 7`, `${iban} 7`]);
    const written = detail.nodes.find(({ nodeId }) => nodeId === '3')?.input as { data: unknown };
    assert.deepEqual(written.data, { name: 'Ann', iban: '[REDACTED]', pin: '[REDACTED]' });
    const [{ record_id: _, ...found }] = detail.nodes.find(({ nodeId }) => nodeId === '4')!.output as [
      Record<string, unknown>,
    ];
    assert.deepEqual(found, { name: 'Ann', iban: '[REDACTED]', pin: '[REDACTED]' });
    assert.ok(!(await stored()).includes(iban));
  });
});

test('an error that a node throws is in the log of the server without the secret that it quotes', async () => {
  acts.set('throw', (_ctx, value) => {
    throw new Error(`cannot read "${String(value)}"`);
  });
  const workflow = await chain([
    ['2', 'act', { name: 'throw', value: '{{API_KEY}}' }, { retry_policy: { max_attempts: 1 } }],
  ]);
  await bench.ended(await bench.start(workflow));
  const lines = logLines.join('');
  assert.match(lines, /cannot read \\"\[REDACTED\]\\"/);
  assert.ok(!lines.includes(apiKey));
});
