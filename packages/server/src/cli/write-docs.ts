import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { settingsReference } from '#config';

/** `npm run docs`: writes the pages that are generated from code. Tests fail while one is stale. */
const docs = path.resolve(import.meta.dirname, '../../../../docs');
await writeFile(path.join(docs, 'settings.md'), settingsReference());
