import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataMapper } from '#engine/nodes/data-mapper';
import { log } from '#engine/nodes/log';
import type { NodeContext } from '#engine/nodes/node-type';

const lines: string[] = [];
const context = {
  now: new Date(0),
  log: (level: string, text: string) => lines.push(`${level} ${text}`),
} as Partial<NodeContext> as NodeContext;

function map(given: object) {
  return dataMapper.run(dataMapper.settings.parse(given), context);
}

test('a mapping renames fields and drops those that it does not name', () => {
  const mapping = { Email: 'mail', Name: 'name' };
  assert.deepEqual(map({ input: { Email: 'a@b.c', name: 'x', Name: 'Ada' }, mapping }), {
    kind: 'done',
    port: 'next',
    body: { mail: 'a@b.c', name: 'Ada' },
  });
});

test('a mapping is read backwards, and one source field may fill several', () => {
  const mapping = { full: ['first', 'last'] };
  const back = map({ input: { first: 'A', last: 'L' }, mapping, direction: 'dest_to_source' });
  assert.deepEqual((back as { body: unknown }).body, { full: 'L' });
  const forth = map({ input: { full: 'A L' }, mapping });
  assert.deepEqual((forth as { body: unknown }).body, { first: 'A L', last: 'A L' });
});

test('each element of a list is mapped, and one that is no object fails the node by its place', () => {
  const mapping = { a: 'b' };
  assert.deepEqual((map({ input: [{ a: 1 }, { a: 2 }], mapping }) as { body: unknown }).body, [
    { b: 1 },
    { b: 2 },
  ]);
  assert.deepEqual(map({ input: [{ a: 1 }, 7], mapping }), {
    kind: 'failed',
    failure: { message: 'input[1]: must be an object, and it is a number', retry: 'never' },
  });
});

test('a mapping cannot reach a prototype', () => {
  const out = map({ input: { a: 1 }, mapping: { a: '__proto__' } }) as { body: object };
  assert.deepEqual(Object.keys(out.body), []);
});

test('a log node writes its line and repeats what it wrote', () => {
  const outcome = log.run(log.settings.parse({ level: 'Warning', title: 'Odd', body: { no: 7 } }), context);
  assert.deepEqual(lines.splice(0), ['warn Odd {"no":7}']);
  assert.deepEqual(outcome, {
    kind: 'done',
    port: 'next',
    body: {
      metadata: {
        no: 7,
        level: 'WARNING',
        title: 'Odd',
        node_type: 'log',
        execution_timestamp: '1970-01-01T00:00:00.000Z',
      },
    },
  });
});

test('a level that does not exist is INFO', () => {
  void log.run(log.settings.parse({ level: 'loud', message_template: 'Hm' }), context);
  assert.deepEqual(lines.splice(0), ['info Hm']);
});

test('a title that a template fills with a number or an object is text', () => {
  for (const title of [7, { no: 7 }, null]) void log.run(log.settings.parse({ title }), context);
  assert.deepEqual(lines.splice(0), ['info 7', 'info {"no":7}', 'info ']);
});
