import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '#domain/errors';
import { processShares } from '#sandbox/process-shares';

/** Enters and says, at any later time, whether it may run. */
function entry(shares: ReturnType<typeof processShares>, organization?: string, signal?: AbortSignal) {
  const state: { leave?: () => void; error?: unknown } = {};
  const settled = shares.enter(organization, signal).then(
    (leave) => void (state.leave = leave),
    (error: unknown) => void (state.error = error),
  );
  return { state, settled };
}
const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

test('an organisation never takes the last process from the others', async () => {
  const shares = processShares(3);
  const greedy = [1, 2, 3, 4].map(() => entry(shares, 'greedy'));
  const modest = entry(shares, 'modest');
  const nobody = entry(shares);
  await turn();
  assert.deepEqual(
    greedy.map(({ state }) => state.leave !== undefined),
    [true, true, false, false],
  );
  assert.ok(modest.state.leave);
  assert.ok(nobody.state.leave);
});

test('whoever waits takes over the place that is left, in order', async () => {
  const shares = processShares(2);
  const [one, two, three] = [entry(shares, 'a'), entry(shares, 'a'), entry(shares, 'a')];
  await one.settled;
  one.state.leave?.();
  await two.settled;
  await turn();
  assert.equal('leave' in three.state, false);
  two.state.leave?.();
  await three.settled;
  three.state.leave?.();
  const next = entry(shares, 'a');
  await turn();
  assert.ok(next.state.leave, 'no place got lost');
});

test('a run that is stopped while it waits gives its turn up', async () => {
  const shares = processShares(1);
  const first = entry(shares, 'a');
  const stop = new AbortController();
  const stopped = entry(shares, 'a', stop.signal);
  const last = entry(shares, 'a');
  await first.settled;
  stop.abort(new Error('stopped by its user'));
  await stopped.settled;
  assert.match(String(stopped.state.error), /stopped by its user/);
  first.state.leave?.();
  await last.settled;
  assert.ok(last.state.leave);
});

test('one organisation fills its own queue only, and closing refuses whoever waits', async () => {
  const shares = processShares(2);
  const all = Array.from({ length: 1_002 }, () => entry(shares, 'greedy'));
  await turn();
  const refused = all.at(-1)?.state.error;
  assert.ok(refused instanceof AppError && refused.code === 'sandbox_busy');
  const other = entry(shares, 'modest');
  await turn();
  assert.ok(other.state.leave);
  shares.close();
  await Promise.all(all.map(({ settled }) => settled));
  assert.match(String(all[1]?.state.error), /closed/);
});
