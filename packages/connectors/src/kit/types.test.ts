/** What must not compile. `tsc` is the test: an unused `@ts-expect-error` is an error. */
import { test } from 'node:test';
import { action, basicAuth, field, get, type Input, keybased, oauth2, options, poll } from '#kit/index';

const live = options({
  request: () => get('/x'),
  items: 'x',
  option: (row: { readonly id: string }) => ({ name: row.id, value: row.id }),
});

const fields = {
  text: field.text({ label: 'T' }),
  maybe: field.text({ label: 'T', required: false }),
  preset: field.number({ label: 'N', default: 1 }),
  choice: field.select({ label: 'C', options: ['a', { name: 'B', value: 'b' }] }),
  maybeChoice: field.select({ label: 'C', options: ['a', 'b'], required: false }),
  live: field.select({ label: 'C', options: live }),
  many: field.multiselect({ label: 'C', options: ['a', 'b'], default: ['a'] }),
  list: field.list({ label: 'L', required: false }),
};

interface Expected {
  readonly text: string;
  readonly maybe: string | undefined;
  readonly preset: number;
  readonly choice: 'a' | 'b';
  readonly maybeChoice: 'a' | 'b' | undefined;
  readonly live: string;
  readonly many: readonly ('a' | 'b')[];
  readonly list: readonly string[] | undefined;
}

// Assignable both ways: neither wider nor narrower than expected.
export const there = (input: Input<typeof fields>): Expected => input;
export const back = (expected: Expected): Input<typeof fields> => expected;

const base = { label: 'A', group: 'G', help: 'H.', effect: 'read' } as const;

action({
  ...base,
  input: { from: field.datetime({ label: 'From' }) },
  // @ts-expect-error -- there is no parameter "form"
  request: (p) => get('/x', { from: p.form }),
});

action({
  ...base,
  // @ts-expect-error -- an action without input has no parameters
  request: (p) => get('/x', { from: p.from }),
});

action({
  ...base,
  input: { maybe: field.text({ label: 'M', required: false }) },
  // @ts-expect-error -- it may be undefined
  request: (p) => get(`/x/${p.maybe.trim()}`),
});

// @ts-expect-error -- effect has no default
action({ label: 'A', group: 'G', help: 'H.', request: () => get('/x') });

// @ts-expect-error -- request or run, not both
action({ ...base, request: () => get('/x'), run: async () => 1 });

// @ts-expect-error -- pages without items say nothing
action({ ...base, request: () => get('/x'), pages: { next: 'a', sendAs: 'b' } });

// @ts-expect-error -- the default must be one of the choices
field.select({ label: 'C', options: ['a', 'b'], default: 'c' });

options({
  dependsOn: ['space'],
  // @ts-expect-error -- "room" is not among dependsOn
  request: ({ room }) => get('/x', { room }),
  items: 'x',
  option: () => ({ name: '', value: '' }),
});

poll({
  label: 'P',
  help: 'H.',
  // @ts-expect-error -- a duration has a unit
  every: '15',
  overlap: '1h',
  list: () => get('/x'),
  items: 'x',
  id: () => '',
  at: () => '',
});

keybased({
  fields: { key: field.text({ label: 'K' }) },
  // @ts-expect-error -- there is no field "secret"
  sign: (c) => basicAuth(c.key, c.secret),
});

// @ts-expect-error -- clientAuth, pkce and refresh are decided, never defaulted
oauth2({ authorizationUrl: 'https://x.example/a', tokenUrl: 'https://x.example/t' });

test('types hold', () => {
  // Checked by the compiler; this makes the file a test for whoever runs it alone.
});
