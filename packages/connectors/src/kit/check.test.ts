/** The common suite must see what it exists for: each test breaks one rule of a connector that keeps them all. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { action } from '#kit/action';
import { bearer, keybased, oauth2 } from '#kit/auth';
import { checkConnector, type ConnectorFiles } from '#kit/check';
import type { ConnectorSpec } from '#kit/connector';
import { field } from '#kit/field';
import { options } from '#kit/options';
import { type Recording, redact, replay } from '#kit/recording';
import { get, put } from '#kit/request';
import { answering, rowChanged, rowHook, toy, toyActions } from '#kit/toy-connector';

const now = '2026-03-01T00:00:00.000Z';
const call = (request: object, status: number, body: unknown) => ({
  request: request as Recording['calls'][number]['request'],
  response: { status, headers: {}, body },
});
const list = { method: 'GET', path: '/rows', query: { space: '1' } };
const add = { method: 'POST', path: '/rows', body: { kind: 'json', value: { name: 'n' } } };
const one = { method: 'GET', path: '/rows/1' };
const copy = { method: 'POST', path: '/rows', body: { kind: 'json', value: { id: 1 } } };
const refused = { error: { status: 500, body: {} } };

const recordings: Readonly<Record<string, Recording>> = {
  'listRows.ok.json': { now, input: { space: '1' }, calls: [call(list, 200, { data: [1] })], output: [1] },
  'listRows.error.json': { now, input: { space: '1' }, calls: [call(list, 500, {})], ...refused },
  'addRow.ok.json': { now, input: { name: 'n' }, calls: [call(add, 201, { id: 1 })], output: { id: 1 } },
  'addRow.error.json': { now, input: { name: 'n' }, calls: [call(add, 500, {})], ...refused },
  'copyRow.ok.json': {
    now,
    input: { id: '1' },
    calls: [call(one, 200, { id: 1 }), call(copy, 201, {}), call(copy, 201, { id: 3 })],
    output: { id: 3 },
  },
  'copyRow.error.json': { now, input: { id: '1' }, calls: [call(one, 500, {})], ...refused },
};

const files: ConnectorFiles = {
  icon: '<svg viewBox="0 0 8 8"/>',
  setup: 'Paste the Callback URL. Tick the scope `me`.',
  webhookSetup: undefined,
  recordings: new Map(Object.entries(recordings)),
};

const withRecordings = (changes: Readonly<Record<string, unknown>>): ConnectorFiles => ({
  ...files,
  recordings: new Map(Object.entries({ ...recordings, ...changes })),
});

test('a connector that keeps every rule has no problems', async () => {
  assert.deepEqual(await checkConnector(toy(), files), []);
});

const login = {
  authorizationUrl: 'https://toy.example/authorize',
  clientAuth: 'basic',
  pkce: 'off',
  refresh: 'none',
  scopes: { required: { me: 'Me' }, optional: { rows: 'Rows' } },
} as const;
const orphan = options({ request: () => get('/x'), items: 'x', option: () => ({ name: '', value: '' }) });
const { 'listRows.error.json': _dropped, ...withoutFailure } = recordings;
const broken: readonly [string, string, Partial<ConnectorSpec>, ConnectorFiles?][] = [
  ['an upper-case slug', 'slug', { slug: 'Toy' }],
  ['a description that is not written', 'description', { description: 'TODO' }],
  ['no icon', 'icon', {}, { ...files, icon: undefined }],
  ['a script in the icon', 'icon', {}, { ...files, icon: '<svg viewBox="0 0 8 8"><script/></svg>' }],
  [
    'an outside reference in the icon',
    'icon',
    {},
    { ...files, icon: '<svg viewBox="0"><image href="http://x"/></svg>' },
  ],
  ['a setup guide that leaves out the scope', 'setup', {}, { ...files, setup: 'Paste the Callback URL.' }],
  ['no way to connect', 'auth', { auth: {} }],
  [
    'a token host that a customer can choose',
    'auth',
    { auth: { oauth2: oauth2({ ...login, tokenUrl: 'https://{domain}/token' }) } },
  ],
  [
    'a flow that the server cannot run',
    'auth',
    { auth: { oauth2: oauth2({ ...login, tokenUrl: 'https://toy.example/token', startsAtProvider: true }) } },
  ],
  [
    'a signature that signs nothing',
    'auth',
    { auth: { ...toy().auth, keybased: keybased({ fields: {}, sign: () => ({}) }) } },
  ],
  [
    'a secret kept as meta',
    'auth',
    {
      auth: {
        ...toy().auth,
        keybased: keybased({
          fields: { key: field.secret({ label: 'Key' }) },
          keep: ['key'],
          sign: (c) => bearer(c.key),
        }),
      },
    },
  ],
  [
    'a check that leaves the host',
    'hosts',
    { check: { request: get('https://x.example'), identifier: () => '' } },
  ],
  [
    'a scope nobody declared',
    'scopes',
    { actions: { ...toyActions, addRow: { ...toyActions.addRow, scopes: ['admin'] } } },
  ],
  ['a list that nothing offers', 'options', { options: { ...toy().options, orphan } }],
  ['a list that is not declared', 'options', { options: { spaces: toy().options['spaces'] ?? orphan } }],
  [
    'a field that depends on a missing sibling',
    'options',
    {
      actions: {
        ...toyActions,
        listRows: {
          ...toyActions.listRows,
          input: { room: toyActions.listRows.input['room'] ?? field.text({ label: '' }) },
        },
      },
    },
  ],
  [
    'a poll without an overlap',
    'poll',
    { triggers: { rowChanged: { ...rowChanged, overlap: '0s' }, rowHook } },
  ],
  [
    'a poll that ignores its window',
    'poll',
    { triggers: { rowChanged: { ...rowChanged, list: () => get('/rows') }, rowHook } },
  ],
  [
    'a webhook that believes everybody',
    'webhook',
    { triggers: { rowHook: { ...rowHook, verify: () => undefined } } },
  ],
  [
    'a webhook that forgets the age of a call',
    'webhook',
    {
      triggers: {
        rowHook: {
          ...rowHook,
          verify: (request, secrets) => rowHook.verify(request, secrets, rowHook.example().now),
        },
      },
    },
  ],
  [
    '401 as an empty list',
    'http',
    { http: { limits: {}, emptyList: (status) => status > 400 && status < 500 } },
  ],
  [
    'an action without a recorded failure',
    'recordings',
    {},
    { ...files, recordings: new Map(Object.entries(withoutFailure)) },
  ],
  [
    'a recording of nothing',
    'recordings',
    {},
    withRecordings({ 'nothing.ok.json': recordings['addRow.ok.json'] }),
  ],
  [
    'somebody’s address in a recording',
    'recordings',
    {},
    withRecordings({
      'addRow.real.json': { ...recordings['addRow.ok.json'], input: { name: 'n', by: 'jo@gmail.com' } },
    }),
  ],
  [
    'a read that writes',
    'effect',
    {
      actions: {
        ...toyActions,
        addRow: action({
          label: 'A',
          group: 'G',
          help: 'H.',
          effect: 'read',
          input: { name: field.text({ label: 'N' }) },
          request: () => put('/rows'),
        }),
      },
    },
    withRecordings({
      'addRow.ok.json': {
        now,
        input: { name: 'n' },
        calls: [call({ method: 'PUT', path: '/rows' }, 200, {})],
        output: {},
      },
      'addRow.error.json': {
        now,
        input: { name: 'n' },
        calls: [call({ method: 'PUT', path: '/rows' }, 500, {})],
        ...refused,
      },
    }),
  ],
];

describe('the common suite sees', () => {
  for (const [name, rule, changes, given = files] of broken) {
    test(name, async () => {
      const problems = await checkConnector(toy(changes), given);
      assert.ok(
        problems.some((problem) => problem.rule === rule),
        `expected a "${rule}" problem, got ${JSON.stringify(problems)}`,
      );
    });
  }
});

describe('a replay fails on', () => {
  const subject = { of: 'action', id: 'copyRow' } as const;
  const good = recordings['copyRow.ok.json'];
  const cases: readonly [string, Partial<Recording>, RegExp][] = [
    ['a call that was not expected', { calls: good?.calls.slice(0, 2) ?? [] }, /call 3 was not expected/],
    [
      'a call that was not made',
      { calls: [...(good?.calls ?? []), call(one, 200, {})] },
      /1 recorded call\(s\) were not made/,
    ],
    ['calls in another order', { calls: good?.calls.toReversed() ?? [] }, /call 1 differs/],
    ['another output', { output: { id: 4 } }, /the outcome differs/],
    ['a query that differs', { input: { id: '2' } }, /call 1 differs/],
  ];
  for (const [name, changes, expected] of cases) {
    test(name, async () => {
      assert.ok(good);
      assert.deepEqual(await replay(toy(), subject, good), []);
      const problems = await replay(toy(), subject, { ...good, ...changes });
      assert.match(problems.join('\n'), expected);
    });
  }
});

test('redaction replaces secrets, tokens and people, each alike everywhere', () => {
  const value = {
    a: 'key s3cr3t-key and Jo@Corp.com',
    'jo@corp.com': ['x@y.org', 'mary@example.com', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl'],
  };
  assert.deepEqual(redact(value, ['s3cr3t-key']), {
    a: 'key [secret] and person1@example.com',
    'person1@example.com': ['person2@example.com', 'mary@example.com', '[token]'],
  });
});

test('answers beyond those expected are the test’s mistake', async () => {
  await assert.rejects(answering().send(get('/x')), /no answer/);
});
