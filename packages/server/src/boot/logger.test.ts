import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DatabaseError } from 'pg';
import { createLogger } from '#boot/logger';

function logged(error: unknown): { line: string; err: Record<string, unknown> } {
  const lines: string[] = [];
  const log = createLogger({ logLevel: 'error' }, { write: (line) => void lines.push(line) });
  log.error({ err: error }, 'It failed.');
  return { line: lines[0]!, err: (JSON.parse(lines[0]!) as { err: Record<string, unknown> }).err };
}

test('the row that PostgreSQL refused is not in the log, its constraint is', () => {
  const error = Object.assign(new DatabaseError('new row violates check constraint', 100, 'error'), {
    code: '23514',
    detail: 'Failing row contains (4711, sk-canary).',
    where: 'JSON data, line 1: {"key": "sk-canary"}',
    constraint: 'journal_status_check',
    table: 'journal',
  });
  const { line, err } = logged(error);
  assert.ok(!line.includes('sk-canary'), line);
  assert.deepEqual(
    [err['code'], err['constraint'], err['message']],
    ['23514', 'journal_status_check', 'new row violates check constraint'],
  );
  assert.match(String(err['stack']), /logger\.test/);
});

test('the address that could not be read is not in the log', () => {
  try {
    new URL('not a url?key=sk-canary'); // oxlint-disable-line no-new -- throws
    assert.fail('it is one');
  } catch (error) {
    const { line, err } = logged(error);
    assert.ok(!line.includes('sk-canary'), line);
    assert.equal(err['code'], 'ERR_INVALID_URL');
  }
});

test('causes are told with the error', () => {
  const { err } = logged(new Error('outer', { cause: new Error('inner') }));
  assert.equal(err['message'], 'outer: inner');
});
