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

test('an event alone does not tick its step: nothing listens to it', () => {
  assert.equal(doneOf({ events: 1 }).includes('event'), false);
  assert.equal(doneOf({ events: 1, publishedWorkflows: 1 }).includes('event'), true);
});

test('every command is a shell script that sends what the guide says, with one id throughout', () => {
  // The stand-in for curl prints what it would send; the token comes out of the answer by the guide's own pipe.
  const stub = `curl() { printf '{"token":"tok.en","args":"'; for w in "$@"; do printf '%s\\n' "$w"; done; printf '"}'; }`;
  const event = { name: "Customer's order", sample: { total: 1 } };
  for (const { command } of quickstart(nothing, { ...filling, event })) {
    if (command === undefined) continue;
    const said = execFileSync('/bin/sh', ['-c', `${stub}\n${command}`], { encoding: 'utf8' });
    assert.match(said, /http:\/\/localhost:3000\/api\/v2\/public\//);
    assert.equal(said.includes('undefined'), false);
    if (command.includes('connect-url')) assert.match(said, /Authorization: Bearer tok\.en/);
    else assert.match(said, /Test2/);
    if (command.includes('/event')) assert.match(said, /"event":"Customer's order"/);
  }
});
