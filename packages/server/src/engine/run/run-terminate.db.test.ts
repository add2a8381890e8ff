import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { z } from 'zod';
import { builtInNodes, nodeRegistry } from '#engine/index';
import { done, nodeType } from '#engine/nodes/node-type';
import { openTestEngine, type TestEdge, type TestEngine, type TestNode } from '#engine/testing';

let bench: TestEngine;
let held: PromiseWithResolvers<void>;
let isHeld: PromiseWithResolvers<void>;
let calls: string[];

/** Says that it was called. "held" does not end before the test lets it, and "second" not before "held" has begun. */
const act = nodeType({
  type: 'act',
  label: 'Act',
  group: 'app',
  help: 'Does what the test says.',
  effect: 'repeatable',
  fields: {},
  settings: z.looseObject({ name: z.string() }),
  async run({ name }) {
    calls.push(name);
    if (name === 'second') await isHeld.promise;
    if (name === 'held') {
      isHeld.resolve();
      await held.promise;
    }
    return done(name);
  },
});

before(async () => {
  bench = await openTestEngine({ registry: nodeRegistry([...builtInNodes.values(), act]) });
});
after(() => bench.close());
beforeEach(() => {
  held = Promise.withResolvers();
  isHeld = Promise.withResolvers();
  calls = [];
});

/** Runs a workflow until its Terminate node has ended and its worker is lost while "held" is under way. */
async function lostAfterTerminate(nodes: readonly TestNode[], edges: readonly TestEdge[], terminate: string) {
  const { pool } = bench.database;
  const id = await bench.start(await bench.publish(nodes, edges));
  const deadline = Date.now() + 10_000;
  for (;;) {
    const { rows } = await pool.query(
      `select from journal where execution_id = $1 and node_id = $2 and kind = 'outcome'`,
      [id, terminate],
    );
    if (rows.length > 0) break;
    assert.ok(Date.now() < deadline, 'the Terminate node did not end');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await pool.query(
    'update worker set is_alive = false where id = (select owner from execution where id = $1)',
    [id],
  );
  held.resolve();
  return bench.ended(id);
}

test('a Terminate node in a try block has ended the execution, whoever goes on with it', async () => {
  const { header } = await lostAfterTerminate(
    [
      ['2', 'try_catch'],
      ['6', 'act', { name: 'second' }, { parent_id: '2' }],
      ['3', 'terminate', { action: 'terminate', message: 'Enough.' }, { parent_id: '2' }],
      ['4', 'act', { name: 'held' }],
      ['5', 'act', { name: 'after' }],
    ],
    [
      ['1', '2'],
      ['1', '4'],
      ['4', '5'],
      ['6', '3'],
    ],
    '3',
  );
  assert.equal(header.state, 'terminated');
  assert.ok(!calls.includes('after'), calls.join());
});

test('a Terminate node in a try block has ended the iteration around it, whoever goes on with it', async () => {
  const { header } = await lostAfterTerminate(
    [
      ['2', 'loop', { mode: 'fixed', count: 1 }],
      ['3', 'try_catch', {}, { parent_id: '2' }],
      ['7', 'act', { name: 'second' }, { parent_id: '3' }],
      ['4', 'terminate', { action: 'terminate_iteration', message: 'Bad record.' }, { parent_id: '3' }],
      ['5', 'act', { name: 'held' }, { parent_id: '2' }],
      ['6', 'act', { name: 'after' }, { parent_id: '2' }],
    ],
    [
      ['1', '2'],
      ['5', '6'],
      ['7', '4'],
    ],
    '4',
  );
  assert.equal(header.state, 'errored');
  assert.match(header.errorText ?? '', /Bad record/);
  assert.ok(!calls.includes('after'), calls.join());
});
