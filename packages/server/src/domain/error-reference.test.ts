import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { errorReference } from '#domain/error-reference';
import { errorCatalogue } from '#domain/errors';

const kept = () => readFile(path.join(import.meta.dirname, '../../../../docs/errors.md'), 'utf8');

test('every error is in docs/errors.md, and every error there exists', async () => {
  const documented = [...(await kept()).matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code);
  assert.deepEqual(documented, Object.keys(errorCatalogue));
});

test('docs/errors.md says what the program says', async () => {
  assert.equal(await kept(), errorReference(), 'run "npm run docs" and read the difference');
});

test('every message is a sentence that a caller can act on', () => {
  for (const [code, { status, wire, message }] of Object.entries(errorCatalogue)) {
    assert.ok(status >= 400 && status <= 599, code);
    assert.match(wire, /^[A-Z][A-Z_]+$/, code);
    assert.equal(typeof message, 'function', code);
  }
  assert.doesNotMatch(errorReference(), /\bundefined\b|\[object/);
});
