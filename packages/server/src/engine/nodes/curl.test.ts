import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { curlCommand } from '#engine/nodes/curl';

/** What a POSIX shell makes of a command's arguments, one a line of JSON. */
function argumentsOf(command: string): string[] {
  const script = `curl() { for a in "$@"; do printf '%s\\0' "$a"; done; }; ${command}`;
  return execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).split('\u0000').slice(0, -1);
}

test('a shell reads back exactly what was sent, and no header stands in it', () => {
  const body = `{"text":"it's $HOME \`id\` \\\\ \n new"}`;
  const url = `https://x.example/a?b='c'&d=$(id)`;
  const headers = { 'content-type': 'application/json', authorization: 'Bearer secret' };
  const command = curlCommand({ method: 'POST', url, headers, body });
  assert.ok(!command.includes('secret'));
  assert.deepEqual(argumentsOf(command), ['-X', 'POST', url, '--json', body]);
});

test('each kind of body has its option', () => {
  const request = { method: 'PUT', url: 'https://x.example/' };
  const form = curlCommand({
    ...request,
    headers: {},
    body: {
      form: [
        ['a', '@/etc/passwd'],
        ['b', "it's"],
      ],
    },
  });
  assert.deepEqual(argumentsOf(form).slice(3), [
    '--form-string',
    'a=@/etc/passwd',
    '--form-string',
    "b=it's",
  ]);
  const text = { ...request, headers: { 'content-type': 'text/plain' }, body: '@not-a-file' };
  assert.deepEqual(argumentsOf(curlCommand(text)).slice(3), [
    '-H',
    'content-type: text/plain',
    '--data-raw',
    '@not-a-file',
  ]);
  assert.deepEqual(argumentsOf(curlCommand({ ...request, headers: {} })), [
    '-X',
    'PUT',
    'https://x.example/',
  ]);
});
