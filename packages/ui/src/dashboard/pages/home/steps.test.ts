import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { type Progress, quickstart } from './steps.ts';

const nothing: Progress = {
  enabledApps: 0,
  accounts: 0,
  connections: 0,
  events: 0,
  publishedWorkflows: 0,
  completedExecutions: 0,
};
const filling = { origin: 'http://localhost:3000', key: 'tk1', accountId: 'Test2', event: undefined };

const doneOf = (progress: Partial<Progress>) =>
  quickstart({ ...nothing, ...progress }, filling)
    .filter(({ isDone }) => isDone)
    .map(({ id }) => id);

test('a new organisation has done one step', () => {
  assert.deepEqual(doneOf({}), ['account']);
});

test('publishing does not tick the last step: only an execution that completed does', () => {
  const ready = { events: 1, publishedWorkflows: 1 };
  assert.equal(doneOf(ready).includes('event'), false);
  assert.equal(doneOf({ ...ready, completedExecutions: 1 }).includes('event'), true);
});

test('every command is a shell script that sends what the guide says, with one id throughout', () => {
  // The stand-in for curl prints what it would send; the token comes out of the answer by the guide's own pipe.
  const stub = `curl() { printf '{"token":"tok.en","args":"'; for w in "$@"; do printf '%s|' "$w"; done; printf '"}\\n'; }`;
  const event = { name: "Customer's order", sample: { total: 1 } };
  const said = new Map<string, string>();
  let terminal = stub;
  for (const { id, command } of quickstart(nothing, { ...filling, event })) {
    if (command === undefined) continue;
    // One terminal from step to step: a later one uses the token of an earlier one.
    const before = execFileSync('/bin/sh', ['-c', terminal], { encoding: 'utf8' });
    terminal += `\n${command}`;
    said.set(id, execFileSync('/bin/sh', ['-c', terminal], { encoding: 'utf8' }).slice(before.length));
  }
  assert.deepEqual([...said.keys()], ['linked-account', 'session', 'connect', 'event']);
  assert.equal([...said.values()].join().includes('undefined'), false);
  assert.match(said.get('linked-account') ?? '', /"linked_account_id":"Test2"/);
  assert.equal(said.get('session'), 'tok.en\n');
  assert.match(said.get('connect') ?? '', /Authorization: Bearer tok\.en\|/);
  assert.match(said.get('event') ?? '', /linked_account_id: Test2\|.*"event":"Customer's order"/s);
});
