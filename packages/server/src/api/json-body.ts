import { AppError } from '#domain/errors';

/** Deeper bodies are refused: recursive code further in (templates, JSON output) must not run out of stack. */
const maxDepth = 128;

/**
 * Parses a JSON request body. An empty body is `{}`: browser clients declare JSON and send nothing.
 *
 * `__proto__`, and `constructor` holding `prototype`, are refused wherever they stand, by name: a later
 * copy of such an object would change the prototype of everything (CWE-1321).
 *
 * @throws malformed_json, forbidden_key, body_too_deep
 */
export function parseJsonBody(text: string): unknown {
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('malformed_json', { reason: syntaxReason(cause) }, { cause });
  }
  refuseHostileShape(value, unstorable.test(text));
  return value;
}

/** V8 quotes a piece of the body in some messages; the position is enough and cannot hold a secret. */
function syntaxReason(error: unknown): string {
  const message = error instanceof Error ? error.message : 'it does not parse';
  return message
    .replace(/, (\.\.\.)?"[\s\S]*"(\.\.\.)? is not valid JSON$/, '')
    .replace(/^Unexpected token '[\s\S]*?'/, 'unexpected character');
}

/** Escapes of NUL and of surrogates: a body without any is not searched for texts that PostgreSQL refuses. */
const unstorable = /\\u(0000|d[89a-f])/i;

function refuseHostileShape(root: unknown, isTextChecked: boolean): void {
  const pending: { value: unknown; path: string; depth: number }[] = [{ value: root, path: '', depth: 0 }];
  const isWalked = (value: unknown) =>
    typeof value === 'object' || (isTextChecked && typeof value === 'string');
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    const { value, path, depth } = item;
    if (typeof value === 'string') refuseUnstorableText(value, path);
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= maxDepth) throw new AppError('body_too_deep', { maxDepth });
    if (Array.isArray(value)) {
      for (const [index, child] of value.entries()) {
        if (isWalked(child)) pending.push({ value: child, path: `${path}[${index}]`, depth: depth + 1 });
      }
      continue;
    }
    for (const [key, child] of Object.entries(value)) {
      const childPath = path === '' ? key : `${path}.${key}`;
      if (isTextChecked) refuseUnstorableText(key, childPath);
      if (key === '__proto__') throw new AppError('forbidden_key', { key: childPath });
      if (
        key === 'constructor' &&
        typeof child === 'object' &&
        child !== null &&
        Object.hasOwn(child, 'prototype')
      ) {
        throw new AppError('forbidden_key', { key: `${childPath}.prototype` });
      }
      if (isWalked(child)) pending.push({ value: child, path: childPath, depth: depth + 1 });
    }
  }
}

/** PostgreSQL stores neither NUL nor half a surrogate pair, in text or in jsonb. */
function refuseUnstorableText(text: string, path: string): void {
  if (!text.includes('\0') && text.isWellFormed()) return;
  const message = 'holds a NUL character or half of a surrogate pair, which cannot be stored';
  throw new AppError('invalid_request', { problems: [{ path: path.replaceAll('\0', ''), message }] });
}
