import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupCommit } from '#db/group-commit';

test('one item goes at once; everything that arrives during a commit goes together in the next', async () => {
  const batches: number[][] = [];
  const gates: (() => void)[] = [];
  const group = groupCommit(async (items: readonly number[]) => {
    batches.push([...items]);
    await new Promise<void>((resolve) => gates.push(resolve));
    return items.map((item) => item * 10);
  }, 3);
  const first = group.commit(1);
  await tick();
  const others = [2, 3, 4, 5].map((item) => group.commit(item));
  gates.shift()!();
  assert.equal(await first, 10);
  await tick();
  gates.shift()!();
  await tick();
  gates.shift()!();
  assert.deepEqual(await Promise.all(others), [20, 30, 40, 50]);
  assert.deepEqual(batches, [[1], [2, 3, 4], [5]]);
  await group.idle();
});

test('an item that the database refuses fails alone; a lost connection fails the batch', async () => {
  let fault: object = { code: '22021' };
  const group = groupCommit((items: readonly string[]) => {
    if (items.includes('bad')) return Promise.reject(Object.assign(new Error('refused'), fault));
    return Promise.resolve(items);
  }, 10);
  const results = await Promise.allSettled(['a', 'bad', 'b'].map((item) => group.commit(item)));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  fault = { code: 'ECONNRESET' };
  const lost = await Promise.allSettled(['a', 'bad', 'b'].map((item) => group.commit(item)));
  assert.deepEqual(
    lost.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  );
});

async function tick(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
