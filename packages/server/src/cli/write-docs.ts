import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { settingsReference } from '#config';
import { describeSchema } from '#db/describe-schema';
import { createTestDatabase } from '#db/testing';
import { errorReference } from '#domain/error-reference';
import { nodeReference } from '#engine/index';

/** `npm run docs`: writes the files that are generated from code. Tests fail while one is stale. */
const checkout = path.resolve(import.meta.dirname, '../../../..');
await writeFile(path.join(checkout, 'docs/settings.md'), settingsReference());
await writeFile(path.join(checkout, 'docs/errors.md'), errorReference());
await writeFile(path.join(checkout, 'docs/nodes.md'), nodeReference());

const database = await createTestDatabase();
try {
  const schema = await describeSchema(database.pool);
  await writeFile(path.join(checkout, 'packages/server/src/db/schema.sql'), schema);
} finally {
  await database.drop();
}
