import { isUtf8 } from 'node:buffer';
import { AppError } from '#domain/errors';
import { parseExactJson } from '#domain/exact-json';

/** Deeper bodies are refused: recursive code further in (templates, JSON output) must not run out of stack. */
const maxDepth = 128;

/**
 * Reads the bytes of a JSON request body. Bytes that are not UTF-8 (RFC 8259 §8.1) would otherwise be stored as
 * replacement characters, unnoticed.
 *
 * @throws malformed_json, forbidden_key, body_too_deep
 */
export function parseJsonBytes(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new AppError('malformed_json', { reason: 'it is not UTF-8' });
  return parseJsonBody(bytes.toString('utf8'));
}

/** A number that a double may not hold: long digits, or a large exponent. Only such bodies are read number by number. */
const unusualNumber = /\d{16}|[eE]\+?\d{3}/;

/**
 * Parses a JSON request body. An empty body is `{}`: browser clients declare JSON and send nothing. Integers
 * beyond 2^53 keep their digits, as text.
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
    value = unusualNumber.test(text) ? parseExactJson(text) : JSON.parse(text);
  } catch (cause) {
    throw new AppError('malformed_json', { reason: syntaxReason(cause) }, { cause });
  }
  refuseHostileShape(value, unstorable.test(text) || unusualNumber.test(text));
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

function refuseHostileShape(root: unknown, isScalarChecked: boolean): void {
  const pending: { value: unknown; path: string; depth: number }[] = [{ value: root, path: '', depth: 0 }];
  const isWalked = (value: unknown) => typeof value === 'object' || isScalarChecked;
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    const { value, path, depth } = item;
    if (typeof value === 'string') refuseUnstorableText(value, path);
    if (typeof value === 'number') refuseEndlessNumber(value, path);
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
      if (isScalarChecked) refuseUnstorableText(key, childPath);
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

/** `1e400` is JSON, and Infinity to JavaScript, which would write it as null. */
function refuseEndlessNumber(value: number, path: string): void {
  if (Number.isFinite(value)) return;
  const message = 'is a number beyond 1.8e308, which cannot be kept. Send it as text';
  throw new AppError('invalid_request', { problems: [{ path, message }] });
}
