import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crashPoints } from '../packages/server/src/engine/crash-points.ts';
import { type CrashBench, type EndedExecution, openCrashBench } from './engine/crash-bench.ts';

/** What holds whatever was killed where; if it does not, what the workers said is told too. */
function assertPromises(bench: CrashBench, executions: readonly EndedExecution[]): void {
  try {
    for (const execution of executions) {
      if (execution.workflow_id === 'loop') assertLoop(bench, execution);
      else assertChain(bench, execution);
    }
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\nWhat the workers said:\n${bench.log()}`, {
      cause: error,
    });
  }
}

/** Every step ended once; only the one in flight may have been made again, if it may. */
function assertChain(
  bench: CrashBench,
  { id, workflow_id, state, error_text, outcomes }: EndedExecution,
): void {
  const counts = ['2', '3', '4'].map((node) => bench.effects.get(`${id}:${node}:0`) ?? 0);
  for (const [node, count] of Object.entries(outcomes)) {
    assert.equal(count, 1, `node ${node} of ${id} has ${count} outcomes`);
  }
  if (workflow_id === 'once') {
    assert.ok(
      counts.every((count) => count <= 1),
      `an effect of ${id} that must happen once happened ${counts.join(', ')} times`,
    );
    if (state === 'errored') assert.match(error_text ?? '', /nobody knows whether the call arrived/);
    else assert.equal(state, 'completed');
  } else {
    assert.equal(state, 'completed');
    assert.ok(
      counts.every((count) => count === 1 || count === 2),
      `the effects of ${id} happened ${counts.join(', ')} times`,
    );
    // Only the step in flight may repeat: everything before it was in the journal.
    assert.ok(counts.filter((count) => count === 2).length <= 1, `more than one step of ${id} was repeated`);
  }
  if (state === 'completed') assert.deepEqual(Object.keys(outcomes).sort(), ['1', '2', '3', '4', '5']);
}

/** Each of five iterations ended once; of each, only the call in flight may have been made again. */
function assertLoop(bench: CrashBench, { id, state, outcomes }: EndedExecution): void {
  assert.equal(state, 'completed');
  const items = ['2:0', '2:1', '2:2', '2:3', '2:4'];
  const places = items.flatMap((item) => [`2 in ${item}`, `3 in ${item}`, `4 in ${item}`]);
  assert.deepEqual(Object.keys(outcomes).sort(), ['1', '2', '5', ...places].sort());
  for (const [place, count] of Object.entries(outcomes)) assert.equal(count, 1, `${place} of ${id}`);
  let repeated = 0;
  for (const item of items) {
    const counts = ['3', '4'].map((node) => bench.effects.get(`${id}:${node}:${item}`) ?? 0);
    assert.ok(
      counts.every((count) => count === 1 || count === 2),
      `the effects of iteration ${item} happened ${counts.join(', ')} times`,
    );
    repeated += counts.filter((count) => count === 2).length;
  }
  assert.ok(repeated <= 2, `${repeated} calls were made again, and two iterations run at a time`);
}

const ofBoth = (each: number): string[] => [
  ...Array.from({ length: each }, () => 'repeatable'),
  ...Array.from({ length: each }, () => 'once'),
];

const isTakeover = (name: string): boolean => name.startsWith('takeover.');
const isOfBatch = (name: string): boolean => name.startsWith('batch.');
const isOfSuspension = (name: string): boolean => /^(suspend|wake)\./.test(name);

describe(
  'a process killed at a named point loses nothing and repeats no finished step',
  // Most of each is waiting until the others believe that the dead process is dead.
  { concurrency: 5, timeout: 240_000 },
  () => {
    for (const point of crashPoints.filter((name) => !isTakeover(name) && !isOfBatch(name))) {
      test(`killed at ${point}`, async () => {
        await using bench = await openCrashBench();
        const start = isOfSuspension(point) ? Array.from({ length: 10 }, () => 'nap') : ofBoth(5);
        const victim = bench.startWorker({ crashAt: point, start });
        assert.equal(await victim.exited, 'SIGKILL');
        await bench.startSurvivor();
        const executions = await bench.allEnded(20_000);
        // A start that was not committed was not promised: only what the dead process had written may be there.
        if (point === 'start.before-commit') assert.equal(executions.length, 0);
        else if (point === 'start.after-commit') assert.ok(executions.length >= 1);
        else assert.equal(executions.length, 10);
        assertPromises(bench, executions);
      });
    }

    for (const point of [
      ...crashPoints.filter(isOfBatch).map((name) => `${name}:3`),
      'attempt.after-start-commit:4',
      'attempt.after-call:7',
      'outcome.after-commit:5',
    ]) {
      test(`killed in the middle of loops, at ${point}`, async () => {
        await using bench = await openCrashBench();
        bench.sinkDelayMs = 5;
        const start = Array.from({ length: 5 }, () => 'loop');
        const victim = bench.startWorker({ crashAt: point, start });
        assert.equal(await victim.exited, 'SIGKILL');
        await bench.startSurvivor();
        const executions = await bench.allEnded(20_000);
        assert.equal(executions.length, 5);
        assertPromises(bench, executions);
      });
    }

    for (const point of crashPoints.filter(isTakeover)) {
      test(`the rescuer killed at ${point}`, async () => {
        await using bench = await openCrashBench();
        const victim = bench.startWorker({ crashAt: 'attempt.after-start-commit', start: ofBoth(5) });
        assert.equal(await victim.exited, 'SIGKILL');
        const rescuer = bench.startWorker({ crashAt: point });
        assert.equal(await rescuer.exited, 'SIGKILL');
        await bench.startSurvivor();
        const executions = await bench.allEnded(30_000);
        assert.equal(executions.length, 10);
        assertPromises(bench, executions);
      });
    }
  },
);

test('a frozen worker that wakes after its runs were taken writes nothing, and works again under a new id', async () => {
  await using bench = await openCrashBench();
  const answer = bench.holdSink();
  const frozen = bench.startWorker({ start: ofBoth(20) });
  await frozen.ready;
  await until(async () => (await running(bench)) === 40);
  frozen.kill('SIGSTOP');
  answer();
  const survivor = bench.startWorker();
  await survivor.ready;
  const executions = await bench.allEnded(20_000);
  frozen.kill('SIGCONT');
  await until(async () => (await liveWorkers(bench)) === 2);
  assertPromises(bench, executions);
  assert.deepEqual(await bench.allEnded(1_000), executions);
});

test('kill -9 of one of two workers among 1,000 running executions: each ends once, taken over in under 10 s', async () => {
  await using bench = await openCrashBench();
  // However slow the machine: all are in the midst of their first call.
  const answer = bench.holdSink();
  const victim = bench.startWorker({ start: ofBoth(500), concurrency: 500 });
  await victim.ready;
  bench.startWorker({ concurrency: 1_000 });
  await until(async () => (await running(bench)) >= 1_000);
  const [biggest] = await owners(bench);
  assert.ok(biggest !== undefined && biggest.runs >= 100, 'the victim runs too little to prove anything');
  victim.kill();
  assert.equal(await victim.exited, 'SIGKILL');
  answer();
  const killedAt = Date.now();
  await until(async () => (await owners(bench)).length <= 1);
  const takeoverMs = Date.now() - killedAt;
  const executions = await bench.allEnded(60_000);
  assert.ok(takeoverMs < 10_000, `taken over after ${takeoverMs} ms`);
  assert.equal(executions.length, 1_000);
  assertPromises(bench, executions);
});

async function running(bench: CrashBench): Promise<number> {
  return (await owners(bench)).reduce((sum, { runs }) => sum + runs, 0);
}

async function owners(bench: CrashBench): Promise<{ owner: string; runs: number }[]> {
  const { rows } = await bench.database.pool.query<{ owner: string; runs: number }>(
    `select owner, count(*)::int as runs from execution where owner is not null group by owner order by runs desc`,
  );
  return rows;
}

async function liveWorkers(bench: CrashBench): Promise<number> {
  const { rows } = await bench.database.pool.query<{ count: number }>(
    'select count(*)::int as count from worker where is_alive',
  );
  return rows[0]?.count ?? 0;
}

async function until(condition: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('It did not come true in time.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
