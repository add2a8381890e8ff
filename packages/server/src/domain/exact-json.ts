/**
 * Reads JSON and keeps integers that a double cannot hold as their text, so `90071992547409931` survives.
 *
 * @throws SyntaxError when the text is not JSON.
 */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text, keepBigIntegers);
}

function keepBigIntegers(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && /^-?\d+$/.test(source) ? source : value;
}

/** Names that could reach a prototype; refused as keys and as path segments everywhere. */
const forbiddenNames: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Whether a key or path segment could reach an object's prototype. */
export function isForbiddenName(name: string): boolean {
  return forbiddenNames.has(name);
}

/** Whether a value is an object with named members: not null, not an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
