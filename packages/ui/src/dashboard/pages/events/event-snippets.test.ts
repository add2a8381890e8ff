import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { eventSnippets } from './event-snippets.ts';

const call = {
  origin: 'http://localhost:3000',
  key: 'tk1',
  account: "O'Hara",
  event: { name: "It's new", sample: { note: "a'b $HOME `id`" } },
};

test('a shell reads the cURL command as one request, quotes and dollar signs included', () => {
  const [curl] = eventSnippets(call);
  const script = `curl() { for word in "$@"; do printf '%s\\0' "$word"; done; }\n${curl?.code}`;
  const words = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).split('\0');
  assert.equal(words[0], 'http://localhost:3000/api/v2/public/event');
  assert.ok(words.includes("linked_account_id: O'Hara"));
  assert.deepEqual(JSON.parse(words.at(-2) ?? ''), { event: "It's new", payload: call.event.sample });
});

test('the JavaScript parses', () => {
  const code = eventSnippets(call)[1]?.code ?? '';
  // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- parsing is the check; it is never called
  assert.doesNotThrow(() => new Function(`return async () => { ${code} }`));
});
