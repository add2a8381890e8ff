import assert from 'node:assert/strict';
import { test } from 'node:test';
import { despiteDeadlocks, isDatabaseAway } from '#db/database-fault';
import { AppError } from '#domain/errors';

const coded = (code: string) => Object.assign(new Error('x'), { code });

test('a database that is away is told from a refusal and from a bug of ours', () => {
  for (const error of [
    coded('57P02'),
    coded('57P03'),
    coded('08006'),
    coded('53300'),
    coded('40P01'),
    coded('ECONNREFUSED'),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
  ]) {
    assert.equal(isDatabaseAway(error), true, error.message + String((error as { code?: string }).code));
  }
  for (const error of [
    coded('22P02'),
    coded('23505'),
    coded('42601'),
    coded('lease_lost'),
    new RangeError('Invalid string length'),
    new TypeError('x is not a function'),
    new AppError('workflow_not_found', { id: 'w' }),
    undefined,
  ]) {
    assert.equal(isDatabaseAway(error), false, String(error));
  }
});

test('what lost a deadlock is done again, and nothing else is', async () => {
  let calls = 0;
  const twice = await despiteDeadlocks(() => {
    calls += 1;
    return calls < 3 ? Promise.reject(coded('40P01')) : Promise.resolve(calls);
  });
  assert.equal(twice, 3);
  calls = 0;
  const count = (code: string) => () => {
    calls += 1;
    return Promise.reject(coded(code));
  };
  await assert.rejects(despiteDeadlocks(count('23505')), { code: '23505' });
  assert.equal(calls, 1);
  await assert.rejects(despiteDeadlocks(count('40P01')), { code: '40P01' });
  assert.equal(calls, 6);
});
