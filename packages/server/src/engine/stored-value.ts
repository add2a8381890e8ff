import { createHash } from 'node:crypto';
import type { StoredValue } from '#db/journal-flush';

const largestInRow = 32 * 1024;

/**
 * A value as the journal keeps it: JSON text, or above 32 KiB a reference by content. `undefined` (which JSON does
 * not have) is kept as null.
 */
export function storedValue(value: unknown): StoredValue {
  const text = JSON.stringify(value) ?? 'null';
  if (text.length <= largestInRow / 4 || Buffer.byteLength(text) <= largestInRow) return { json: text };
  return { hash: createHash('sha256').update(text).digest(), content: text };
}
