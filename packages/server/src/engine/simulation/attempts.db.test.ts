import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { nodeRegistry } from '#engine/index';
import { done, failed, nodeType } from '#engine/nodes/node-type';
import { start } from '#engine/nodes/start';
import { tryCatch } from '#engine/nodes/try-catch';
import { seededRandom } from '#engine/simulation/seeded-random';
import { openTestEngine, type TestEdge, type TestEngine, type TestNode } from '#engine/testing';

/** One node with a retry policy, skipped on error or not, in a try block that is repeated or not, caught or not. */
interface Case {
  readonly effect: 'none' | 'read' | 'repeatable' | 'once';
  /** Of its calls, the first so many fail. */
  readonly failures: number;
  readonly failsFor: 'now' | 'good';
  readonly attempts: number;
  readonly isSkipped: boolean;
  readonly block: { readonly attempts: number; readonly hasCatch: boolean } | undefined;
}

/** What the rules of spec/workflows §9 and §12.15 say: attempts, then the block again, then catch, then the end. */
interface Expected {
  readonly state: 'completed' | 'errored';
  readonly calls: number;
  /** How the node ended in each repetition. */
  readonly ends: readonly string[];
  readonly retries: number;
  readonly isCaught: boolean;
}

function expectedOf({ failures, failsFor, attempts, isSkipped, block }: Case): Expected {
  let calls = 0;
  let retries = 0;
  const ends: string[] = [];
  for (let repetition = 1; repetition <= (block?.attempts ?? 1); repetition += 1) {
    let isDone = false;
    for (let attempt = 1; attempt <= attempts && !isDone; attempt += 1) {
      calls += 1;
      isDone = calls > failures;
      if (isDone || failsFor === 'good') break;
      if (attempt < attempts) retries += 1;
    }
    ends.push(isDone ? 'success' : isSkipped ? 'errored_and_skipped' : 'errored');
    if (isDone || isSkipped) return { state: 'completed', calls, ends, retries, isCaught: false };
  }
  const isCaught = block?.hasCatch === true;
  return { state: isCaught ? 'completed' : 'errored', calls, ends, retries, isCaught };
}

let bench: TestEngine;
const calls = new Map<string, number>();
const act = nodeType({
  type: 'act',
  label: 'Act',
  group: 'app',
  help: 'Fails as often as it is told.',
  effect: ({ effect }) => effect,
  fields: {},
  settings: z.object({
    effect: z.enum(['none', 'read', 'repeatable', 'once']),
    failures: z.number(),
    failsFor: z.enum(['now', 'good']),
  }),
  run({ failures, failsFor }, { executionId }) {
    const made = (calls.get(executionId) ?? 0) + 1;
    calls.set(executionId, made);
    const retry = failsFor === 'now' ? 'safe' : 'never';
    return made > failures ? done(made) : failed({ message: `Call ${made} fails.`, retry });
  },
});
const caught = nodeType({
  type: 'caught',
  label: 'Caught',
  group: 'control',
  help: 'Is reached or not.',
  effect: 'none',
  fields: {},
  settings: z.object({}),
  run: () => done(null),
});

before(async () => {
  bench = await openTestEngine({ registry: nodeRegistry([start, tryCatch, act, caught]), concurrency: 50 });
});
after(() => bench.close());

function caseOf(seed: number): Case {
  const random = seededRandom(seed);
  return {
    effect: random.pick(['none', 'read', 'repeatable', 'once']),
    failures: random.whole(0, 8),
    failsFor: random.pick(['now', 'now', 'good']),
    attempts: random.whole(1, 3),
    isSkipped: random.chance(0.25),
    block: random.chance(0.75) ? { attempts: random.whole(1, 3), hasCatch: random.chance(0.6) } : undefined,
  };
}

async function begin({ effect, failures, failsFor, attempts, isSkipped, block }: Case): Promise<string> {
  const retry_policy = { strategy: 'fixed', delay: 1, max_attempts: attempts };
  const more = { retry_policy, skip_on_error: isSkipped, ...(block !== undefined && { parent_id: '2' }) };
  const nodes: TestNode[] = [['3', 'act', { effect, failures, failsFor }, more]];
  const edges: TestEdge[] = [['1', block === undefined ? '3' : '2']];
  if (block !== undefined) {
    const policy = { strategy: 'fixed', delay: 1, max_attempts: block.attempts };
    nodes.push(['2', 'try_catch', {}, { retry_policy: policy }]);
    edges.push(['2', '3', 'try']);
  }
  if (block?.hasCatch === true) {
    nodes.push(['4', 'caught', {}, { parent_id: '2' }]);
    edges.push(['2', '4', 'catch']);
  }
  return bench.start(await bench.publish(nodes, edges));
}

async function seenOf(executionId: string): Promise<Expected> {
  const { header } = await bench.ended(executionId);
  const { rows } = await bench.database.pool.query<{ node_id: string; status: string }>(
    `select node_id, status from journal where execution_id = $1 and kind = 'outcome' order by seq`,
    [executionId],
  );
  const ofAct = rows.filter(({ node_id }) => node_id === '3').map(({ status }) => status);
  return {
    state: header.state as Expected['state'],
    calls: calls.get(executionId) ?? 0,
    ends: ofAct.filter((status) => status !== 'retrying'),
    retries: ofAct.filter((status) => status === 'retrying').length,
    isCaught: rows.some(({ node_id }) => node_id === '4'),
  };
}

test('attempts, repetitions of the try block, skip on error and catch follow one another as they should (pain 18)', async () => {
  const cases = Array.from({ length: 200 }, (_, seed) => ({ seed, given: caseOf(seed + 1) }));
  const begun = await Promise.all(cases.map(async (one) => ({ ...one, id: await begin(one.given) })));
  for (const { seed, given, id } of begun) {
    assert.deepEqual(await seenOf(id), expectedOf(given), `case ${seed}: ${JSON.stringify(given)}`);
  }
});
