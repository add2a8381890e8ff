import { createHash } from 'node:crypto';
import type { StoredValue } from '#db/journal-flush';

const largestInRow = 32 * 1024;
/** What one node may hand on. Larger things are files, and belong to where files live. */
export const largestValue = 16 * 1024 * 1024;

/**
 * A value as the journal keeps it: JSON text, or above 32 KiB a reference by content. `undefined` (which JSON does
 * not have) is kept as null.
 */
export function storedValue(value: unknown): StoredValue {
  const text = JSON.stringify(value) ?? 'null';
  if (text.length <= largestInRow / 4 || Buffer.byteLength(text) <= largestInRow) return { json: text };
  return { hash: createHash('sha256').update(text).digest(), content: text };
}

/** Length of a value's JSON. */
export function sizeOf(value: StoredValue): number {
  return 'json' in value ? value.json.length : value.content.length;
}

/** Says so when a value is larger than a node may hand on. */
export function sizeProblem(value: StoredValue): string | undefined {
  if ('json' in value) return undefined;
  const size = Buffer.byteLength(value.content);
  if (size <= largestValue) return undefined;
  const megabytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
  return `Its output is ${megabytes(size)} MiB of JSON; a node may hand on ${megabytes(largestValue)} MiB at most. Ask for less at a time, or leave out what is not needed.`;
}
