import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { clientTransaction } from '#db/client-transaction';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { systemClock } from '#domain/clock';
import { newId } from '#domain/ids';
import { builtInNodes, createEngine, nodeRegistry, type Engine, type NodeServices } from '#engine/index';
import { openQueue } from '#engine/workers/queue';
import { queueRunsOfDeadWorkers } from '#engine/workers/recover';
import { interpret, placeOf, type Expectation } from '#engine/simulation/reference';
import {
  randomWorkflow,
  subFlows,
  type SimulatedNode,
  type SimulatedWorkflow,
} from '#engine/simulation/random-workflow';
import { seededRandom, type Random } from '#engine/simulation/seeded-random';
import { simulatedNodes, type SimulatedWorld } from '#engine/simulation/simulated-nodes';
import { endWaitsOfLostParents } from '#engine/wait/suspension';
import { createVault } from '#vault/index';

/**
 * Random workflows by the hundred on two workers, with stops, lost workers that go on for a moment, and messages that
 * come twice, against a reference that knows none of this. Without the fence of journal writes it fails. Workflow n of a round has the seed `round * 1000 + n`.
 */

const rounds = Number(process.env['SIMULATION_ROUNDS'] ?? 3);
const perRound = 250;
const firstRound = Number(process.env['SIMULATION_SEED'] ?? 1);

const tenant = { orgId: newId(), environment: 'test' as const };
const account = { id: newId(), accountId: 'sim' };
const world: SimulatedWorld = { calls: new Map(), tokens: new Set() };
let database: TestDatabase;
let engines: Engine[];

before(async () => {
  database = await createTestDatabase();
  await database.pool.query(`insert into organization (id, name, slug) values ($1, 'S', 's')`, [
    tenant.orgId,
  ]);
  await database.pool.query(
    `insert into linked_account (id, org_id, environment, account_id) values ($1, $2, 'test', 'sim')`,
    [account.id, tenant.orgId],
  );
  const vault = createVault({
    keys: [{ id: '00'.repeat(8), key: randomBytes(32) }],
    derivationKey: randomBytes(32),
  });
  const deps = { pool: database.pool, db: database.db, clock: systemClock, vault };
  const registry = nodeRegistry([...builtInNodes.values(), ...simulatedNodes(world)]);
  engines = await Promise.all(
    [1, 2].map(() =>
      createEngine(
        { ...deps, log: pino({ level: 'silent' }), services: {} as NodeServices },
        { databaseUrl: database.url, concurrency: 60, registry },
      ),
    ),
  );
  for (const engine of engines) engine.start();
  for (const name of subFlows) await publish(name, subFlowOf(name));
});
after(async () => {
  await Promise.all(engines.map((engine) => engine.drain(2_000)));
  await database.drop();
});

interface Simulated {
  readonly seed: number;
  readonly workflow: SimulatedWorkflow;
  readonly expected: Expectation;
  readonly executionId: string;
  readonly isStopped: boolean;
}

for (let round = firstRound; round < firstRound + rounds; round += 1) {
  test(`${perRound} random workflows end as the reference says, whatever happens to their workers (round ${round})`, async () => {
    const random = seededRandom(round);
    world.calls.clear();
    world.tokens.clear();
    const simulated = await Promise.all(
      Array.from({ length: perRound }, (_, index) => startOne(round * 1_000 + index, random.chance(0.1))),
    );
    // The first round goes undisturbed, so that nothing hides behind a lost worker.
    const hasLosses = round !== 1;
    await disturb(random, simulated, hasLosses);
    const rows = await readBack(simulated);
    const problems = simulated.flatMap((one) => problemOf(one, rows.get(one.executionId)!, hasLosses) ?? []);
    assert.equal(problems.length, 0, problems.slice(0, 3).join('\n\n'));
    const { rows: open } = await database.pool.query(
      `select id, state, root_execution_id from execution where finished_at is null`,
    );
    assert.deepEqual(open, [], 'sub-flows that do not end');
  });
}

/** What a sub-flow does: it acts, fails, waits for a token, or leaves it to another one. */
function subFlowOf(name: (typeof subFlows)[number]): Pick<SimulatedWorkflow, 'nodes' | 'edges'> {
  const [node_type, data] = {
    good: ['act', { does: 'succeed', effect: 'repeatable', value: '' }] as const,
    bad: ['act', { does: 'fail', effect: 'repeatable', value: '' }] as const,
    waiting: ['pause', { by: 'token' }] as const,
    nested: ['sub_flow', { workflow: 'good', wait_for_completion: true }] as const,
    nested_bad: ['sub_flow', { workflow: 'bad', wait_for_completion: true }] as const,
  }[name];
  return {
    nodes: [
      { id: '1', node_type: 'start', name: 'Start', data: {} },
      { id: '2', node_type, name: 'Only', data: { ...data, retry_policy: { max_attempts: 1 } } },
    ],
    edges: [{ source: '1', target: '2' }],
  };
}

/** One of which can be told what comes out. */
function tellable(seed: number): Pick<Simulated, 'workflow' | 'expected'> {
  for (let salt = 0; ; salt += 1) {
    const workflow = randomWorkflow(seededRandom(seed + salt * 1_000_003));
    const expected = interpret(workflow);
    if (!expected.isAmbiguous) return { workflow, expected };
  }
}

/** Published: a test run of a draft makes one attempt only. */
async function publish(
  workflowId: string,
  { nodes, edges }: Pick<SimulatedWorkflow, 'nodes' | 'edges'>,
): Promise<void> {
  await database.pool.query(
    `with w as (insert into workflow (id, draft_id, org_id, environment, name, draft, published_version)
       values ($1, $1 || '-draft', $2, 'test', $1, '{}', 1) returning id)
     insert into workflow_version (id, org_id, environment, workflow_id, version, document)
     select $1, $2, 'test', id, 1, $3 from w`,
    [workflowId, tenant.orgId, JSON.stringify({ nodes, edges })],
  );
}

async function startOne(seed: number, isStopped: boolean): Promise<Simulated> {
  const { workflow, expected } = tellable(seed);
  const workflowId = newId();
  await publish(workflowId, workflow);
  const { executionId } = await engines[seed % 2]!.startExecution(tenant, {
    workflowId,
    version: 1,
    linkedAccount: account,
    configId: 'sim',
    source: 'api_call',
    payload: workflow.payload,
  });
  return { seed, workflow, expected, executionId, isStopped };
}

/** Until all have ended: presents tokens, some of them twice, stops what is to be stopped, loses workers. */
async function disturb(random: Random, simulated: readonly Simulated[], hasLosses: boolean): Promise<void> {
  const toStop = new Set(
    simulated.filter(({ isStopped }) => isStopped).map(({ executionId }) => executionId),
  );
  const deadline = Date.now() + 60_000;
  for (let lost = 0; ;) {
    for (const token of world.tokens) {
      const isResumed = await random.pick(engines).resume(token, {});
      if (isResumed === undefined) continue;
      world.tokens.delete(token);
      if (random.chance(0.3)) {
        const again = await random.pick(engines).resume(token, {});
        assert.equal(again, undefined, 'a token that was used wakes nobody');
      }
    }
    for (const id of toStop) {
      if (!random.chance(0.3)) continue;
      toStop.delete(id);
      // It may have ended a moment ago.
      await random
        .pick(engines)
        .stop(tenant, id)
        .catch(() => undefined);
    }
    const { rows } = await database.pool.query<{ open: number }>(
      `select count(*)::int as open from execution where state in ('queued', 'running', 'waiting')`,
    );
    if (rows[0]!.open === 0) return;
    if (hasLosses && lost < 12 && random.chance(0.5)) {
      lost += 1;
      await loseWorker();
    }
    // What the engine does once a minute.
    await endWaitsOfLostParents(database.pool);
    if (Date.now() > deadline) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * A worker is taken for dead though it is alive: its runs go to others at once, and it goes on with them until its
 * next heartbeat, which may be a second.
 */
async function loseWorker(): Promise<void> {
  await clientTransaction(database.pool, async (client) => {
    await client.query(
      `update worker set is_alive = false
       where id = (select owner from execution where owner is not null order by random() limit 1)`,
    );
    await queueRunsOfDeadWorkers(client, { queue: openQueue(), clock: systemClock }, 1_000);
    // It is not what the executions do that loses their workers here.
    await client.query('update execution set lost_count = 0 where lost_count > 0 and finished_at is null');
  });
  for (const engine of engines) engine.wake();
}

interface Row {
  readonly node_id: string;
  readonly batch: string;
  readonly kind: 'start' | 'outcome' | 'batch';
  readonly status: string | null;
  readonly output: { readonly value?: string } | null;
  readonly error: { readonly message: string } | null;
}
interface Child {
  readonly node_id: string;
  readonly first_batch: string;
  readonly state: string;
}
interface ReadBack {
  readonly state: string;
  readonly rows: readonly Row[];
  readonly children: readonly Child[];
}

async function readBack(simulated: readonly Simulated[]): Promise<Map<string, ReadBack>> {
  const ids = simulated.map(({ executionId }) => executionId);
  const states = await database.pool.query<{ id: string; state: string }>(
    'select id, state from execution where id = any($1)',
    [ids],
  );
  const rows = await database.pool.query<Row & { execution_id: string }>(
    `select execution_id, node_id, batch, kind, status, output, error from journal
     where execution_id = any($1) order by execution_id, seq`,
    [ids],
  );
  const children = await database.pool.query<Child & { parent: string }>(
    `select distinct e.id, c.parent_execution_id as parent, c.node_id, c.first_batch, e.state
     from child_execution c join execution e on e.id = c.child_execution_id where c.parent_execution_id = any($1)`,
    [ids],
  );
  const byExecution = Map.groupBy(rows.rows, (row) => row.execution_id);
  const byParent = Map.groupBy(children.rows, ({ parent }) => parent);
  const of = (id: string) => ({ rows: byExecution.get(id) ?? [], children: byParent.get(id) ?? [] });
  return new Map(states.rows.map(({ id, state }) => [id, { state, ...of(id) }]));
}

const halted = new Set(['stopped', 'timed_out', 'terminated']);
/** What is around it ended while it was under way: no more repetitions, no more iterations. */
const mayEndEarly = ({ node_type, data }: SimulatedNode) =>
  ['loop', 'try_catch', 'sub_flow'].includes(node_type) || data['does'] === 'stumble';

function problemOf(one: Simulated, read: ReadBack, hasLosses: boolean): string | undefined {
  try {
    check(one, read, hasLosses);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function check(one: Simulated, { state, rows, children }: ReadBack, hasLosses: boolean): void {
  const { seed, workflow, expected } = one;
  const nodes = new Map(workflow.nodes.map((node) => [node.id, node]));
  const again = `SIMULATION_SEED=${Math.floor(seed / 1_000)} SIMULATION_ROUNDS=1 node scripts/launch.mjs unit packages/server/src/engine/simulation/simulation.db.test.ts`;
  const say = (what: string) => `workflow ${seed}: ${what}\n  ${again}\n  ${JSON.stringify(workflow)}`;

  const outcomes = rows.filter(({ kind, status }) => kind === 'outcome' && status !== 'retrying');
  // A node that must not be sent twice may end in an error that the reference knows nothing of.
  const isUnknown = hasLosses && outcomes.some(({ error }) => /nobody knows/.test(error?.message ?? ''));
  const ends = new Set([...expected.ends, ...(one.isStopped ? ['stopped'] : [])]);
  if (!isUnknown) assert.ok(ends.has(state), say(`ended as ${state}, not as ${[...ends].join(' or ')}`));

  const [terminated] = outcomes.filter(
    ({ node_id }) =>
      nodes.get(node_id)!.data['action'] === 'terminate' && nodes.get(node_id)!.node_type === 'terminate',
  );
  if (terminated !== undefined && !one.isStopped) {
    const said = terminated.status === 'success' ? 'completed' : terminated.status;
    assert.equal(state, said, say(`node ${terminated.node_id} has ended it`));
  }

  const seen = new Map<string, string>();
  for (const { node_id, batch, status, output } of outcomes) {
    const place = placeOf(node_id, batch);
    assert.ok(!seen.has(place), say(`node ${place} ended twice`));
    seen.set(place, status!);
    const wanted = expected.outcomes.get(place);
    const isRaced = one.isStopped || wanted?.isCertain !== true;
    if (isUnknown || (isRaced && halted.has(status!))) continue;
    assert.ok(wanted !== undefined, say(`node ${place} ran (${status}), which it should not`));
    if (isRaced && mayEndEarly(nodes.get(node_id)!)) continue;
    assert.equal(status, wanted.status, say(`node ${place}`));
    if (wanted.value !== undefined) assert.equal(output?.value, wanted.value, say(`output of node ${place}`));
  }
  if (
    !isUnknown &&
    state !== 'stopped' &&
    [...expected.outcomes.values()].some(({ isCertain }) => isCertain)
  ) {
    for (const [place, { isCertain }] of expected.outcomes) {
      if (isCertain) assert.ok(seen.has(place), say(`node ${place} did not run`));
    }
  }
  checkCalls(one, rows, say);
  const succeeded = children.filter((child) => child.state === 'completed');
  const places = new Set(succeeded.map(({ node_id, first_batch }) => placeOf(node_id, first_batch)));
  assert.equal(places.size, succeeded.length, say('a sub-flow that had succeeded was started again'));
}

/** A call is never made without a record of it before, and never again after its outcome is recorded. */
function checkCalls(
  { executionId, workflow }: Simulated,
  rows: readonly Row[],
  say: (what: string) => string,
): void {
  const isTry = new Set(
    workflow.nodes.filter(({ node_type }) => node_type === 'try_catch').map(({ id }) => id),
  );
  /** All repetitions of a try block have the key of the first. */
  const firstPath = (batch: string): string =>
    batch
      .split('/')
      .map((part) => (isTry.has(part.split(':')[0]!) ? `${part.split(':')[0]}:0` : part))
      .join('/');
  const begun = Map.groupBy(
    rows.filter(({ kind }) => kind === 'start'),
    ({ node_id, batch }) => `${executionId}:${node_id}:${batch === '' ? '0' : firstPath(batch)}`,
  );
  for (const node of workflow.nodes.filter(({ node_type }) => node_type === 'act')) {
    const { effect, does } = node.data as { effect: string; does: string };
    if (effect === 'none') continue;
    for (const [key, calls] of world.calls) {
      if (!key.startsWith(`${executionId}:${node.id}:`)) continue;
      const recorded = begun.get(key) ?? [];
      assert.ok(calls <= recorded.length, say(`${calls} calls of ${key}, ${recorded.length} recorded`));
      const repetitions = new Set(recorded.map(({ batch }) => batch)).size;
      if (effect === 'once' && does === 'succeed') {
        assert.ok(calls <= repetitions, say(`${key} was sent ${calls} times in ${repetitions} repetitions`));
      }
    }
  }
}
