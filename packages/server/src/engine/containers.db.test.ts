import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { systemClock } from '#domain/clock';
import { newId } from '#domain/ids';
import { createEngine, nodeRegistry, type Engine, type NodeServices, type StartInput } from '#engine/index';
import { builtInNodes } from '#engine/nodes/index';
import { done, failed, suspended } from '#engine/nodes/node-type';
import { endOf, published, scriptedNode } from '#engine/testing';
import { testVault } from '#vault/testing';

let database: TestDatabase;
let engine: Engine;
const tenant = { orgId: newId(), environment: 'test' as const };
const linkedAccount = { id: newId(), accountId: 'ann' };

const { act, acts } = scriptedNode({ resume: (_settings, _ctx, woken) => done({ woken: woken.by }) });
/** The same without an effect: nothing waits for its row. */
const pure = scriptedNode({ type: 'pure', effect: 'none', run: (given, ctx) => act.run(given, ctx) }).act;

before(async () => {
  database = await createTestDatabase();
  await database.pool.query(`insert into organization (id, name, slug) values ($1, 'T', 't')`, [
    tenant.orgId,
  ]);
  await database.pool.query(
    `insert into linked_account (id, org_id, environment, account_id) values ($1, $2, 'test', 'ann')`,
    [linkedAccount.id, tenant.orgId],
  );
  await restart();
});
after(async () => {
  await engine.drain(2_000);
  await database.drop();
});

async function restart(batchLimit = 10_000): Promise<void> {
  const { pool, db, url } = database;
  const log = pino({ level: 'silent' });
  const vault = testVault('containers');
  engine = await createEngine(
    { pool, db, clock: systemClock, log, vault, services: {} as NodeServices },
    {
      databaseUrl: url,
      concurrency: 50,
      batchLimit,
      registry: nodeRegistry([...builtInNodes.values(), act, pure]),
    },
  );
  engine.start();
}

/** Drops this worker with all that it has in memory, as a deploy does, and goes on with another. */
async function replaceWorker(): Promise<void> {
  await engine.drain(0);
  await restart();
}

/** A node: id, type, settings; what stands in it carries its id as the last part. */
type Node = readonly [id: string, type: string, data?: Record<string, unknown>, parent?: string];
type Edge = readonly [source: string, target: string, handle?: string];

/** Nodes in the order given, in a row wherever no edges say otherwise. */
function workflow(nodes: readonly Node[], edges?: readonly Edge[]): StartInput {
  const all: Node[] = [['1', 'start'], ...nodes];
  const rows = [...Map.groupBy(all, ([, , , parent]) => parent).values()];
  const inRow = rows.flatMap((row) => row.slice(1).map(([id], index): Edge => [row[index]![0], id]));
  return {
    workflowId: newId(),
    document: {
      nodes: all.map(
        ([id, node_type, { retry_policy, skip_on_error, node_conditions, ...data } = {}, parent_id]) => ({
          id,
          node_type,
          name: `Node ${id}`,
          data,
          retry_policy: retry_policy ?? (node_type === 'try_catch' ? undefined : { max_attempts: 1 }),
          skip_on_error,
          conditions: node_conditions,
          parent_id,
        }),
      ),
      edges: (edges ?? inRow).map(([source, target, source_handle]) => ({ source, target, source_handle })),
      settings: {},
    },
    linkedAccount,
    configId: 'ann',
    source: 'api_call',
    payload: { list: [1, 2, 3, 4, 5] },
  };
}

async function begin(input: StartInput): Promise<string> {
  const start = await published(database.pool, tenant, input);
  return (await engine.startExecution(tenant, start)).executionId;
}

const ended = (executionId: string) => endOf(engine, tenant, executionId);

async function ran(nodes: readonly Node[], edges?: readonly Edge[]) {
  const detail = await ended(await begin(workflow(nodes, edges)));
  const node = (id: string) => detail.nodes.find(({ nodeId }) => nodeId === id);
  return { detail, state: detail.header.state, error: detail.header.errorText, node };
}

/** What a node gave; it must have run. */
function bodyOf(node: { readonly output: unknown } | undefined): Record<string, unknown> {
  assert.ok(node !== undefined, 'the node did not run');
  return node.output as Record<string, unknown>;
}

describe('a loop over a list', () => {
  test('hands each item to its nodes and gives the results in the order of the list', async () => {
    acts.set('slow-first', async (ctx, value) => {
      if (ctx.batch === '2:0') await new Promise((resolve) => setImmediate(resolve));
      return done({ got: value });
    });
    const { state, node, detail } = await ran([
      ['2', 'loop', { fanout_array: '{{event.list}}', output_data: '{{node.3.body.got}}' }],
      [
        '3',
        'act',
        { name: 'slow-first', value: '{{array_item}}/{{loop.iteration_number}}/{{loop.iteration_count}}' },
        '2',
      ],
      [
        '4',
        'pure',
        {
          value: [
            '{{node.2.body.0}}',
            '{{node.2.body.length}}',
            '{{node.2.body.total_iterations}}',
            '{{node.2.body}}',
          ],
        },
      ],
    ]);
    assert.equal(state, 'completed');
    const body = {
      loop_results: ['1/1/5', '2/2/5', '3/3/5', '4/4/5', '5/5/5'],
      total_iterations: 5,
      successful_iterations: 5,
      failed_iterations: 0,
    };
    assert.deepEqual(node('2')?.output, body);
    assert.deepEqual(node('4')?.output, ['1/1/5', 5, 5, body]);
    assert.deepEqual(
      detail.nodes.map(({ nodeId }) => nodeId),
      ['1', '2', '4'],
      'what is inside does not flood the list',
    );
  });

  test('an empty list is a success without iterations', async () => {
    const { state, node } = await ran([
      ['2', 'loop', { fanout_array: [] }],
      ['3', 'act', {}, '2'],
      ['4', 'pure', { value: '{{node.2.body}}' }],
    ]);
    assert.equal(state, 'completed');
    assert.deepEqual(node('4')?.output, {
      loop_results: [],
      total_iterations: 0,
      successful_iterations: 0,
      failed_iterations: 0,
    });
  });

  test('a loop with nothing inside is passed over', async () => {
    const { state, node } = await ran([
      ['2', 'loop', { fanout_array: [1] }],
      ['3', 'pure', { value: 'on' }],
    ]);
    assert.deepEqual([state, node('2')?.status, node('3')?.output], ['completed', 'rejected', 'on']);
  });

  test('failed iterations stop no other; the loop fails and names the first', async () => {
    acts.set('no-even', (_ctx, value) =>
      Number(value) % 2 === 0 ? failed({ message: `no ${String(value)}`, retry: 'never' }) : done(value),
    );
    const inner: Node[] = [['3', 'act', { name: 'no-even', value: '{{array_item}}' }, '2']];
    const strict = await ran([['2', 'loop', { fanout_array: '{{event.list}}' }], ...inner]);
    assert.equal(strict.state, 'errored');
    assert.equal(strict.error, '2 of 5 iterations failed. The first, iteration 2: no 2');
    assert.deepEqual((strict.node('2')?.error?.body as { loop_results: unknown })?.loop_results, [
      1,
      null,
      3,
      null,
      5,
    ]);
    const lenient = await ran([
      ['2', 'loop', { fanout_array: '{{event.list}}', allow_partial_success: true }],
      ...inner,
      ['4', 'pure', { value: '{{node.2.status}} {{node.2.body.failed_iterations}}' }],
    ]);
    assert.deepEqual(
      [lenient.state, lenient.node('2')?.status, lenient.node('4')?.output],
      ['completed', 'partially_successful', 'Partially_Successful 2'],
    );
    const skipped = await ran([
      ['2', 'loop', { fanout_array: '{{event.list}}', skip_on_error: true }],
      ...inner,
      ['4', 'pure', { value: '{{node.2.body.error.successful_iterations}}' }],
    ]);
    assert.deepEqual([skipped.state, skipped.node('4')?.output], ['completed', 3]);
  });

  test('no more iterations run at the same time than it says', async () => {
    let [now, most] = [0, 0];
    acts.set('count', async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setTimeout(resolve, 2));
      now -= 1;
      return done(null);
    });
    await ran([
      ['2', 'loop', { mode: 'fixed', count: 20, concurrent_batches: 3 }],
      ['3', 'act', { name: 'count' }, '2'],
    ]);
    assert.equal(most, 3);
  });

  test('settings that make no sense fail at once and name their field', async () => {
    for (const [data, message] of [
      [{ fanout_array: '{{event.nothing}}' }, /fanout_array: found no array/],
      [
        { fanout_array: [1], concurrent_batches: 0 },
        /concurrent_batches: write a whole number from 1 to 100/,
      ],
      [{ fanout_array: [1], concurrent_batches: 101 }, /concurrent_batches/],
      [{ fanout_array: [1], concurrent_batches: 'many' }, /concurrent_batches/],
      [{ mode: 'fixed', count: -1 }, /count: write a whole number/],
      [{ mode: 'sideways' }, /mode: use fixed, array or do_while/],
      [{ mode: 'do_while' }, /while: a do-while loop needs/],
      [{ mode: 'fixed', count: 10_001 }, /would have 10001 iterations.*10000/s],
    ] as const) {
      const { state, error } = await ran([
        ['2', 'loop', data],
        ['3', 'act', { name: 'never' }, '2'],
      ]);
      assert.equal(state, 'errored');
      assert.match(error ?? '', message);
    }
  });

  test('loops inside loops: inner nodes read outer items, and all iterations count against one limit', async () => {
    const nested = (outer: number, inner: number): readonly Node[] => [
      ['2', 'loop', { mode: 'fixed', count: outer, output_data: '{{node.3.body.loop_results}}' }],
      ['5', 'pure', { value: '{{loop.iteration_number}}' }, '2'],
      ['3', 'loop', { fanout_array: Array.from({ length: inner }, (_, n) => n) }, '2'],
      ['4', 'act', { value: '{{node.5.body}}.{{array_item}}' }, '3'],
    ];
    const small = await ran(nested(2, 2));
    assert.deepEqual(bodyOf(small.node('2'))['loop_results'], [
      ['1.0', '1.1'],
      ['2.0', '2.1'],
    ]);
    await engine.drain(1_000);
    await restart(20);
    const large = await ran([...nested(4, 5)]);
    assert.equal(large.state, 'errored');
    assert.match(large.error ?? '', /iterations failed.*20/s);
    await engine.drain(1_000);
    await restart();
  });

  test('the idempotency key of a node names its iteration', async () => {
    const keys: string[] = [];
    acts.set('key', (ctx) => (keys.push(ctx.idempotencyKey), done(null)));
    const { detail } = await ran([
      ['2', 'loop', { mode: 'fixed', count: 2, concurrent_batches: 1 }],
      ['3', 'act', { name: 'key' }, '2'],
    ]);
    assert.deepEqual(keys, [`${detail.header.id}:3:2:0`, `${detail.header.id}:3:2:1`]);
  });

  test('results that come to more than a node may hand on fail the loop with the reason, after all its work', async () => {
    let calls = 0;
    acts.set('big', () => ((calls += 1), done('x'.repeat(1024 * 1024))));
    const nodes: Node[] = [
      ['2', 'loop', { mode: 'fixed', count: 20 }],
      ['3', 'act', { name: 'big' }, '2'],
    ];
    const read = await ran([...nodes, ['4', 'pure', { value: '{{node.2.body.loop_results}}' }]]);
    assert.equal(read.state, 'errored');
    assert.match(read.error ?? '', /more than 16 MiB.*less output data/s);
    assert.equal(calls, 20);
    const unread = await ran([...nodes, ['4', 'pure', { value: '{{node.2.body.successful_iterations}}' }]]);
    assert.deepEqual([unread.state, unread.node('4')?.output], ['completed', 20]);
    assert.equal('loop_results' in bodyOf(unread.node('2')), false);
  });
});

describe('a do-while loop', () => {
  test('runs at least once, and again as long as its rule holds; it reads what it gave before', async () => {
    const { state, node } = await ran([
      [
        '2',
        'loop',
        {
          mode: 'do_while',
          while: { conditions: [{ variable: '{{node.3.body}}', operator: 'neq', value: 'xxx' }] },
        },
      ],
      ['3', 'pure', { value: '{{loop.previous}}x' }, '2'],
    ]);
    assert.equal(state, 'completed');
    assert.deepEqual(node('2')?.output, {
      loop_results: ['x', 'xx', 'xxx'],
      total_iterations: 3,
      successful_iterations: 3,
      failed_iterations: 0,
    });
  });

  test('a break case leaves out the rest of the iteration and ends the loop', async () => {
    let after = 0;
    acts.set('after', () => ((after += 1), done(null)));
    const { state, node } = await ran([
      [
        '2',
        'loop',
        {
          mode: 'do_while',
          break_cases: [{ conditions: [{ variable: '{{node.3.body}}', operator: 'gte', value: 3 }] }],
        },
      ],
      ['3', 'pure', { value: '{{loop.iteration_number}}' }, '2'],
      ['4', 'act', { name: 'after' }, '2'],
    ]);
    assert.deepEqual([state, after], ['completed', 2]);
    assert.equal(bodyOf(node('2'))['total_iterations'], 3);
  });

  test('one that never ends is ended by the limit, one that fails by its failure', async () => {
    await engine.drain(1_000);
    await restart(7);
    const always = { conditions: [{ variable: 1, operator: 'eq', value: 1 }] };
    const endless = await ran([
      ['2', 'loop', { mode: 'do_while', while: always }],
      ['3', 'pure', {}, '2'],
    ]);
    assert.match(endless.error ?? '', /would have 8 iterations.*may have 7/s);
    acts.set('fail', () => failed({ message: 'no', retry: 'never' }));
    const failing = await ran([
      ['2', 'loop', { mode: 'do_while', while: always }],
      ['3', 'act', { name: 'fail' }, '2'],
    ]);
    assert.equal(failing.error, '1 of 1 iterations failed. The first, iteration 1: no');
    await engine.drain(1_000);
    await restart();
  });
});

describe('a try block', () => {
  const catchEdges: Edge[] = [
    ['1', '2'],
    ['2', '3', 'try'],
    ['3', '4'],
    ['2', '5', 'catch'],
    ['2', '6'],
  ];
  const block = (data: Record<string, unknown> = {}, name = 'fail'): readonly Node[] => [
    ['2', 'try_catch', data],
    ['3', 'act', { name }, '2'],
    ['4', 'act', { name: 'rest' }, '2'],
    [
      '5',
      'pure',
      { value: ['{{node.2.body.failed_node_id}}', '{{error_message.message}}', '{{failed_node_id}}'] },
      '2',
    ],
    ['6', 'pure', { value: '{{node.2.body}}' }],
  ];

  test('a failure leaves out its rest, runs the catch and goes on', async () => {
    let rest = 0;
    acts.set('rest', () => ((rest += 1), done(null)));
    acts.set('fail', () => failed({ message: 'refused', status: 422, body: { why: 'x' }, retry: 'never' }));
    const { state, node, detail } = await ran(block(), catchEdges);
    assert.deepEqual([state, rest], ['completed', 0]);
    assert.deepEqual(node('6')?.output, {
      try_catch_result: 'caught',
      message: 'refused',
      failed_node_id: '3',
      error_message: { message: 'refused', error: [{ message: 'refused', status: 422, body: { why: 'x' } }] },
    });
    const [first] = (await engine.readBatch(tenant, { executionId: detail.header.id }, '2:0')).filter(
      ({ nodeId }) => nodeId === '5',
    );
    assert.deepEqual(first?.output, ['3', 'refused', '3']);
  });

  test('without a failure the catch stays out of it', async () => {
    const { state, node } = await ran(block({}, 'fine'), catchEdges);
    assert.deepEqual([state, bodyOf(node('6'))['try_catch_result']], ['completed', 'success']);
  });

  test('a failing catch fails the execution, and so does a block without one', async () => {
    const nodes = block().map((node): Node => (node[0] === '5' ? ['5', 'act', { name: 'fail' }, '2'] : node));
    const failing = await ran(nodes, catchEdges);
    assert.equal(failing.error, 'The catch of "Node 2" failed at "Node 5": refused');
    const empty = await ran(block().slice(0, 3));
    assert.deepEqual([empty.state, empty.error], ['errored', 'refused']);
  });

  test('its retry policy repeats the whole block, under the same idempotency keys', async () => {
    const keys: string[] = [];
    acts.set('third', (ctx) => {
      keys.push(`${ctx.batch} ${ctx.idempotencyKey.split(':').slice(1).join(':')}`);
      return keys.length < 3 ? failed({ message: 'not yet', retry: 'never' }) : done(null);
    });
    const retry_policy = { strategy: 'fixed', delay: 1, max_attempts: 3 };
    const { state } = await ran(block({ retry_policy }, 'third'), catchEdges);
    assert.equal(state, 'completed');
    assert.deepEqual(keys, ['2:0 3:2:0', '2:1 3:2:0', '2:2 3:2:0']);
  });

  test('inside a loop it keeps one bad record from failing the loop', async () => {
    acts.set('no-even', (_ctx, value) =>
      Number(value) % 2 === 0 ? failed({ message: `no ${String(value)}`, retry: 'never' }) : done(value),
    );
    const { state, node } = await ran(
      [
        ['2', 'loop', { fanout_array: '{{event.list}}', output_data: '{{node.3.body.try_catch_result}}' }],
        ['3', 'try_catch', {}, '2'],
        ['4', 'act', { name: 'no-even', value: '{{array_item}}' }, '3'],
        ['5', 'pure', {}, '3'],
      ],
      [
        ['1', '2'],
        ['3', '4', 'try'],
        ['3', '5', 'catch'],
      ],
    );
    assert.equal(state, 'completed');
    assert.deepEqual(bodyOf(node('2'))['loop_results'], [
      'success',
      'caught',
      'success',
      'caught',
      'success',
    ]);
  });
});

describe('merge, switch, conditions', () => {
  test('a merge has the bodies of the branches that came', async () => {
    const { node } = await ran(
      [
        ['2', 'rule', { conditions: [{ variable: 1, operator: 'eq', value: 2 }] }],
        ['3', 'pure', { value: 'a' }],
        ['4', 'pure', { value: 'b' }],
        ['5', 'pure', { value: 'c' }],
        ['6', 'merge'],
      ],
      [
        ['1', '2'],
        ['2', '3', 'true'],
        ['2', '4', 'false'],
        ['1', '5'],
        ['3', '6'],
        ['4', '6'],
        ['5', '6'],
      ],
    );
    assert.deepEqual(node('6')?.output, { '4': 'b', '5': 'c' });
  });

  test('a branch that failed ends the execution before the merge; a skipped failure is merged as what it is', async () => {
    acts.set('fail', () => failed({ message: 'no', retry: 'never' }));
    const merged = (data: Record<string, unknown>) =>
      ran(
        [
          ['2', 'act', { name: 'fail', ...data }],
          ['3', 'pure', { value: 1 }],
          ['4', 'merge'],
        ],
        [
          ['1', '2'],
          ['1', '3'],
          ['2', '4'],
          ['3', '4'],
        ],
      );
    const hard = await merged({});
    assert.deepEqual([hard.state, hard.node('4')], ['errored', undefined]);
    const soft = await merged({ skip_on_error: true });
    assert.equal((bodyOf(soft.node('4'))['2'] as { message: string }).message, 'no');
  });

  const cases = [
    { case_value: 5, case_satisfied_nodes: ['3'] },
    { case_value: 'true', case_satisfied_nodes: [4] },
    { case_value: '5', case_satisfied_nodes: ['4'] },
  ];
  const switched = (data: Record<string, unknown>) =>
    ran(
      [
        ['2', 'switch', { evaluator_type: 'value', cases, default_nodes: ['5'], ...data }],
        ['3', 'pure'],
        ['4', 'pure'],
        ['5', 'pure'],
      ],
      [
        ['1', '2'],
        ['2', '3'],
        ['2', '4'],
        ['2', '5'],
      ],
    );

  test('a switch compares as text; the first equal case wins, else the default', async () => {
    for (const [value, matched, taken] of [
      ['5', '5', '3'],
      [5, '5', '3'],
      [true, 'true', '4'],
      ['TRUE', '', '5'],
      [null, '', '5'],
    ] as const) {
      const { node } = await switched({ parameters: { v: value } });
      const output = node('2')?.output as Record<string, unknown>;
      assert.deepEqual([output['matched_case'], output['final_satisfied_nodes']], [matched, [taken]]);
      assert.deepEqual(
        ['3', '4', '5'].filter((id) => node(id) !== undefined),
        [taken],
      );
    }
  });

  test('edges may name the cases themselves', async () => {
    const { node } = await ran(
      [
        ['2', 'switch', { evaluator_type: 'value', parameters: { v: 1 }, cases: [{ case_value: 1 }] }],
        ['3', 'pure'],
        ['4', 'pure'],
      ],
      [
        ['1', '2'],
        ['2', '3', 'case_0'],
        ['2', '4', 'default'],
      ],
    );
    assert.deepEqual([node('3')?.status, node('4')], ['success', undefined]);
  });

  test('a switch that cannot decide says what is missing', async () => {
    assert.match((await switched({ evaluator_type: undefined })).error ?? '', /evaluator_type is required/);
    assert.match((await switched({ parameters: { a: 1, b: 2 } })).error ?? '', /key: name the parameter/);
    assert.match(
      (await switched({ parameters: { a: 1 }, key: 'b' })).error ?? '',
      /no parameter "b"; there is only a/,
    );
  });

  test("a node's own conditions hold together or one by one", async () => {
    const conditions = [
      { variable: 1, operator: 'eq', value: 1 },
      { variable: 1, operator: 'eq', value: 2 },
    ];
    const { node } = await ran([
      ['2', 'pure', { node_conditions: { match: 'any', conditions }, value: 'ran' }],
      ['3', 'pure', { node_conditions: conditions, value: 'ran' }],
      ['4', 'pure', { value: 'on' }],
    ]);
    assert.deepEqual(
      [node('2')?.status, node('3')?.status, node('4')?.output],
      ['success', 'rejected', 'on'],
    );
  });
});

describe('terminate', () => {
  test('ends the execution with all its branches, as what it says', async () => {
    for (const [data, state] of [
      [{}, 'terminated'],
      [{ status: 'success' }, 'completed'],
      [{ status: 'error', message: 'enough' }, 'errored'],
    ] as const) {
      const { detail, error, node } = await ran(
        [
          ['2', 'terminate', { message: 'enough', status_code: 409, ...data }],
          ['3', 'act'],
          ['4', 'act'],
        ],
        [
          ['1', '2'],
          ['1', '3'],
          ['3', '4'],
        ],
      );
      assert.equal(detail.header.state, state);
      assert.equal(node('4'), undefined);
      assert.equal(detail.header.statusCode, 409);
      assert.equal(error, state === 'errored' ? 'enough' : null);
    }
  });

  test('inside a loop it ends the iteration or the loop, as an error unless told otherwise', async () => {
    const looped = (data: Record<string, unknown>) =>
      ran(
        [
          [
            '2',
            'loop',
            { fanout_array: '{{event.list}}', concurrent_batches: 1, allow_partial_success: true },
          ],
          ['3', 'rule', { conditions: [{ variable: '{{array_item}}', operator: 'eq', value: 2 }] }, '2'],
          ['4', 'terminate', { message: 'two', ...data }, '2'],
          ['5', 'pure', { value: '{{array_item}}' }, '2'],
        ],
        [
          ['1', '2'],
          ['3', '4', 'true'],
          ['3', '5', 'false'],
        ],
      );
    const counts = ({ node }: Awaited<ReturnType<typeof looped>>) => {
      const output = (node('2')?.output ?? node('2')?.error?.body ?? {}) as Record<string, unknown>;
      return [output['successful_iterations'], output['failed_iterations'], output['not_started_iterations']];
    };
    const iteration = await looped({ action: 'terminate_iteration' });
    assert.deepEqual([iteration.state, ...counts(iteration)], ['completed', 4, 1, undefined]);
    const well = await looped({ action: 'terminate_iteration', status: 'success' });
    assert.deepEqual([well.state, ...counts(well)], ['completed', 5, 0, undefined]);
    const loopError = await looped({ action: 'terminate_loop' });
    assert.deepEqual([loopError.state, loopError.error, ...counts(loopError)], ['errored', 'two', 1, 1, 3]);
    const loopEnd = await looped({ action: 'terminate_loop', status: 'success' });
    assert.deepEqual([loopEnd.state, ...counts(loopEnd)], ['completed', 2, 0, 3]);
    const whole = await looped({ action: 'terminate' });
    assert.deepEqual([whole.state, whole.node('2')?.status], ['terminated', 'terminated']);
  });

  test('in a try block it ends the execution and is not caught', async () => {
    const { state } = await ran(
      [
        ['2', 'try_catch'],
        ['3', 'terminate', { status: 'success' }, '2'],
        ['4', 'act', {}, '2'],
        ['5', 'act'],
      ],
      [
        ['1', '2'],
        ['2', '3', 'try'],
        ['2', '4', 'catch'],
        ['2', '5'],
      ],
    );
    assert.equal(state, 'completed');
  });
});

describe('a worker that is lost in the middle', () => {
  test('of a loop repeats no iteration that ended, and hands on all results', async () => {
    const seen: string[] = [];
    const stuck = Promise.withResolvers<void>();
    let isFirst = true;
    acts.set('stick', (ctx, value) => {
      seen.push(ctx.batch);
      if (value !== 4 || !isFirst) return done({ item: value });
      isFirst = false;
      stuck.resolve();
      return new Promise(() => undefined);
    });
    const id = await begin(
      workflow([
        [
          '2',
          'loop',
          { fanout_array: '{{event.list}}', concurrent_batches: 1, output_data: '{{node.3.body.item}}' },
        ],
        ['3', 'act', { name: 'stick', value: '{{array_item}}' }, '2'],
        ['4', 'pure', { value: '{{node.2.body.loop_results}}' }],
      ]),
    );
    await stuck.promise;
    await replaceWorker();
    const detail = await ended(id);
    assert.equal(detail.header.state, 'completed');
    assert.deepEqual(seen, ['2:0', '2:1', '2:2', '2:3', '2:3', '2:4']);
    assert.deepEqual(detail.nodes.at(-1)?.output, [1, 2, 3, 4, 5]);
  });

  test('of a do-while loop goes on from the iteration that it was in', async () => {
    const seen: string[] = [];
    const stuck = Promise.withResolvers<void>();
    let isFirst = true;
    acts.set('grow', (_ctx, value) => {
      seen.push(String(value));
      if (value !== 'xx' || !isFirst) return done(value);
      isFirst = false;
      stuck.resolve();
      return new Promise(() => undefined);
    });
    const id = await begin(
      workflow([
        [
          '2',
          'loop',
          { mode: 'do_while', while: [{ variable: '{{node.3.body}}', operator: 'neq', value: 'xxx' }] },
        ],
        ['3', 'act', { name: 'grow', value: '{{loop.previous}}x' }, '2'],
      ]),
    );
    await stuck.promise;
    await replaceWorker();
    assert.equal((await ended(id)).header.state, 'completed');
    assert.deepEqual(seen, ['x', 'xx', 'xx', 'xxx']);
  });

  test('of a catch goes on in the catch, and knows why', async () => {
    const stuck = Promise.withResolvers<void>();
    const seen: unknown[] = [];
    let tries = 0;
    acts.set('fail', () => ((tries += 1), failed({ message: 'refused', retry: 'never' })));
    acts.set('stick', (_ctx, value) => {
      seen.push(value);
      if (seen.length > 1) return done(null);
      stuck.resolve();
      return new Promise(() => undefined);
    });
    const id = await begin(
      workflow(
        [
          ['2', 'try_catch'],
          ['3', 'pure', { value: 'made' }, '2'],
          ['4', 'act', { name: 'fail' }, '2'],
          ['5', 'act', { name: 'stick', value: '{{node.2.body.failed_node_id}} {{node.3.body}}' }, '2'],
        ],
        [
          ['1', '2'],
          ['2', '3', 'try'],
          ['3', '4'],
          ['2', '5', 'catch'],
        ],
      ),
    );
    await stuck.promise;
    await replaceWorker();
    assert.equal((await ended(id)).header.state, 'completed');
    assert.deepEqual([tries, seen], [1, ['4 made', '4 made']]);
  });
});

describe('a node that waits inside a container', () => {
  test('in a loop: the others go on, the run leaves memory, and every iteration comes to its end', async () => {
    acts.set('odd-waits', (_ctx, value) =>
      Number(value) % 2 === 1
        ? suspended({ reason: 'delay', dueAt: new Date(Date.now() + 300) })
        : done({ woken: 'no need' }),
    );
    const { state, node } = await ran([
      ['2', 'loop', { fanout_array: '{{event.list}}', output_data: '{{node.3.body.woken}}' }],
      ['3', 'act', { name: 'odd-waits', value: '{{array_item}}' }, '2'],
      ['4', 'pure', { value: '{{node.2.body.loop_results}}' }],
    ]);
    assert.equal(state, 'completed');
    assert.deepEqual(node('4')?.output, ['due', 'no need', 'due', 'no need', 'due']);
  });

  test('a wait of a try block that has failed elsewhere is forgotten', async () => {
    acts.set('wait-long', () => suspended({ reason: 'delay', dueAt: new Date(Date.now() + 3_600_000) }));
    acts.set('fail-late', async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return failed({ message: 'late', retry: 'never' });
    });
    const { state, node } = await ran(
      [
        ['2', 'try_catch'],
        ['3', 'act', { name: 'wait-long' }, '2'],
        ['4', 'act', { name: 'fail-late' }, '2'],
        ['5', 'pure', { value: 'caught' }, '2'],
      ],
      [
        ['1', '2'],
        ['2', '3', 'try'],
        ['2', '4', 'try'],
        ['2', '5', 'catch'],
      ],
    );
    assert.equal(state, 'completed');
    assert.equal(bodyOf(node('2'))['try_catch_result'], 'caught');
  });
});

test('a stop in the middle of a loop leaves no iteration without an end, those never begun included', async () => {
  const stuck = Promise.withResolvers<void>();
  acts.set('hang-third', (_ctx, value) => {
    if (value !== 3) return done(value);
    stuck.resolve();
    return new Promise(() => undefined);
  });
  const id = await begin(
    workflow([
      ['2', 'loop', { fanout_array: '{{event.list}}', concurrent_batches: 1 }],
      ['3', 'act', { name: 'hang-third', value: '{{array_item}}' }, '2'],
    ]),
  );
  await stuck.promise;
  await engine.stop(tenant, id);
  const detail = await ended(id);
  assert.equal(detail.header.state, 'stopped');
  assert.deepEqual(detail.nodes.at(-1)?.status, 'stopped');
  const { batches, total } = await engine.listBatches(
    tenant,
    { executionId: id, nodeId: '2' },
    { offset: 0, limit: 10 },
  );
  assert.deepEqual(
    [total, batches.map(({ index, status, output }) => `${index} ${status} ${String(output)}`)],
    [5, ['0 success 1', '1 success 2', '2 stopped null', '3 stopped null', '4 stopped null']],
  );
});

test('a sync call of a workflow with a loop is refused, unless the workflow allows it', async () => {
  const input = workflow([
    ['2', 'loop', { mode: 'fixed', count: 1 }],
    ['3', 'pure', {}, '2'],
  ]);
  await assert.rejects(engine.runSync(tenant, { ...input, timeoutMs: 5_000 }), /allow_sync_loops/);
  const allowed = {
    ...input,
    document: { ...(input.document as object), settings: { allow_sync_loops: true } },
  };
  assert.equal((await engine.runSync(tenant, { ...allowed, timeoutMs: 5_000 })).isFinished, true);
});
