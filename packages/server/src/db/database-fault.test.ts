import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDatabaseAway } from '#db/database-fault';
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
