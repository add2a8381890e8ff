/** JSON as TypeScript knows it, and dotted paths into it. */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Plain text values by name: connection meta, operator variables, webhook secrets. */
export type Values = Readonly<Record<string, string>>;

/** True for a plain object (not null, not an array). */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Parses JSON; whole numbers too large for a JavaScript number become text, so that a 20-digit id survives.
 *
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  // The reviver makes parsing several times slower: only documents that can hold such a number pay for it.
  if (!/\d{16}/.test(text)) return JSON.parse(text) as unknown;
  return (JSON.parse as SourceParse)(text, (_key, value, context) =>
    typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
      ? context.source
      : value,
  );
}

/** ECMAScript 2026 JSON.parse source text access, not in TypeScript's library yet. */
type SourceParse = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/** The value at a dotted path (`records.cursor`); undefined when any step is missing. Own properties only. */
export function at(value: unknown, path: string): unknown {
  let here: unknown = value;
  for (const step of path.split('.')) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Record<string, unknown>)[step];
  }
  return here;
}

/** A copy of an object with the value at a dotted path set; missing steps are created. */
export function withAt(value: unknown, path: string, set: unknown): Record<string, unknown> {
  const base = isRecord(value) ? value : {};
  const dot = path.indexOf('.');
  if (dot < 0) return { ...base, [path]: set };
  const head = path.slice(0, dot);
  return { ...base, [head]: withAt(base[head], path.slice(dot + 1), set) };
}

/** An object without its undefined entries: what `JSON.stringify` would send, as a value. */
export function compact<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
