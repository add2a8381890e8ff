import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { describeSchema } from '#db/describe-schema';
import { createTestDatabase, type TestDatabase } from '#db/testing';

let database: TestDatabase;
before(async () => {
  database = await createTestDatabase();
});
after(() => database.drop());

test('schema.sql describes the migrated database as it is', async () => {
  const kept = await readFile(path.join(import.meta.dirname, 'schema.sql'), 'utf8');
  assert.equal(await describeSchema(database.pool), kept, 'run "npm run docs" and read the difference');
});
