/** From what arrives on the wire (loose, often all text) to what a field promises its code. */
import { InvalidParameter, MissingParameter } from '#kit/errors';
import type { Field, Fields, FieldType } from '#kit/field';
import { isRecord } from '#kit/json';
import type { FileValue } from '#kit/request';

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Reads raw parameters as a set of fields. Parameters no field names are ignored: Cobalt's callers send extra
 * ones, and a workflow saved against an older connector must go on running.
 *
 * @throws MissingParameter, InvalidParameter
 */
export function parseInput(fields: Fields, raw: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, parseField(name, field, own(raw, name))]),
  );
}

function own(raw: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(raw, name) ? raw[name] : undefined;
}

/** Absent, null and blank are missing; so is an empty list, but not an empty JSON array, which is a value. */
function isMissing(field: Field, value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    (typeof value === 'string' && value.trim() === '') ||
    (Array.isArray(value) && value.length === 0 && field.type !== 'json')
  );
}

/** Reads one value as a field; undefined when it is absent and may be. */
export function parseField(name: string, field: Field, raw: unknown): unknown {
  if (isMissing(field, raw)) {
    if (field.default !== undefined) return field.default;
    if (field.required) throw new MissingParameter(name);
    return undefined;
  }
  const value = coerce(name, field, raw);
  if (isMissing(field, value) && field.required) throw new MissingParameter(name);
  return value;
}

function coerce(name: string, field: Field, raw: unknown): unknown {
  return coercions[field.type](name, raw, field);
}

type Coercion = (name: string, raw: unknown, field: Field) => unknown;

const coercions: Readonly<Record<FieldType, Coercion>> = {
  text,
  textarea: text,
  secret: text,
  email: (name, raw) => email(name, text(name, raw)),
  url: (name, raw) => httpUrl(name, text(name, raw)),
  number,
  boolean,
  date: (name, raw) => instant(name, raw).toISOString().slice(0, 10),
  datetime: (name, raw) => instant(name, raw).toISOString(),
  select: (name, raw, field) => member(name, field, text(name, raw)),
  multiselect: (name, raw, field) => listOf(name, raw).map((entry) => member(name, field, text(name, entry))),
  list: (name, raw, field) => listOf(name, raw).map((entry) => listEntry(name, field, entry)),
  json: (name, raw, field) => shaped(name, field, typeof raw === 'string' ? jsonText(name, raw, field) : raw),
  map: (name, raw) => map(name, typeof raw === 'string' ? parseJson(name, raw) : raw),
  file,
};

function text(name: string, raw: unknown): string {
  if (typeof raw === 'string') return raw;
  if (typeof raw === 'number' || typeof raw === 'boolean') return String(raw);
  throw new InvalidParameter(name, 'must be text');
}

function email(name: string, raw: string): string {
  const value = raw.trim();
  if (!/^[^\s@]+@[^\s@]+$/.test(value)) throw new InvalidParameter(name, 'must be an e-mail address');
  return value;
}

function httpUrl(name: string, raw: string): string {
  const value = raw.trim();
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) {
    throw new InvalidParameter(name, 'must be an absolute http(s) URL');
  }
  return value;
}

function number(name: string, raw: unknown): number {
  const value = typeof raw === 'string' ? Number(raw.trim()) : raw;
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new InvalidParameter(name, 'must be a number');
  return value;
}

function boolean(name: string, raw: unknown): boolean {
  if (typeof raw === 'boolean') return raw;
  const word = String(raw).trim().toLowerCase();
  if (word === 'true' || word === '1') return true;
  if (word === 'false' || word === '0') return false;
  throw new InvalidParameter(name, 'must be true or false');
}

/** RFC 3339 dates and date-times, and Unix time in seconds or milliseconds. No other spelling: `02/03/2026` is two dates. */
function instant(name: string, raw: unknown): Date {
  const problem = 'must be a date and time such as 2026-03-01T09:30:00Z';
  const word = typeof raw === 'string' ? raw.trim() : raw;
  if (typeof word === 'number' || (typeof word === 'string' && /^\d{9,13}$/.test(word))) {
    const count = Number(word);
    return valid(name, problem, new Date(count < 1e11 ? count * 1000 : count));
  }
  if (typeof word !== 'string') throw new InvalidParameter(name, problem);
  const match =
    /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(word);
  if (match === null) throw new InvalidParameter(name, problem);
  const [, year, month, day, time = '00:00:00', zone = 'Z'] = match;
  // JavaScript rolls 2026-02-30 over to March; a caller's typo must not become another day.
  if (Number(day) > new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()) {
    throw new InvalidParameter(name, 'names a day that does not exist');
  }
  const offset =
    zone.toUpperCase() === 'Z' || zone.includes(':')
      ? zone.toUpperCase()
      : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  return valid(name, problem, new Date(`${year}-${month}-${day}T${time}${offset}`));
}

function valid(name: string, problem: string, date: Date): Date {
  if (Number.isNaN(date.getTime())) throw new InvalidParameter(name, problem);
  return date;
}

function member(name: string, field: Field, value: string): string {
  if (!Array.isArray(field.options)) return value;
  const choices = (field.options as readonly { readonly value: string }[]).map((choice) => choice.value);
  if (choices.includes(value)) return value;
  throw new InvalidParameter(name, `must be one of ${choices.map((choice) => `"${choice}"`).join(', ')}`);
}

function listOf(name: string, raw: unknown): readonly unknown[] {
  if (Array.isArray(raw)) return raw;
  if (typeof raw === 'string' && raw.trim().startsWith('[')) {
    const parsed = parseJson(name, raw);
    if (Array.isArray(parsed)) return parsed;
  }
  if (typeof raw === 'string') {
    return raw
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
  }
  if (isRecord(raw)) throw new InvalidParameter(name, 'must be a list');
  return [raw];
}

function listEntry(name: string, field: Field, entry: unknown): string {
  const value = text(name, entry).trim();
  if (field.of === 'email') return email(name, value);
  if (field.of === 'number') return String(number(name, value));
  return value;
}

function parseJson(name: string, raw: string): unknown {
  try {
    return JSON.parse(raw) as unknown;
  } catch {
    throw new InvalidParameter(name, 'must be valid JSON');
  }
}

function jsonText(name: string, raw: string, field: Field): unknown {
  if (field.shape !== 'json-or-text') return parseJson(name, raw);
  try {
    return parseJson(name, raw);
  } catch (error) {
    if (error instanceof InvalidParameter) return raw;
    throw error;
  }
}

function shaped(name: string, field: Field, value: unknown): unknown {
  if (field.shape === 'object' && !isRecord(value)) throw new InvalidParameter(name, 'must be a JSON object');
  if (field.shape === 'array' && !Array.isArray(value))
    throw new InvalidParameter(name, 'must be a JSON array');
  return value;
}

function map(name: string, raw: unknown): Record<string, string> {
  if (!isRecord(raw)) throw new InvalidParameter(name, 'must be an object of names and values');
  return Object.fromEntries(
    Object.entries(raw)
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([key, value]) => {
        if (FORBIDDEN_KEYS.has(key)) throw new InvalidParameter(name, `may not have a key named "${key}"`);
        return [key, text(`${name}.${key}`, value)];
      }),
  );
}

function file(name: string, raw: unknown): FileValue {
  if (typeof raw === 'string') {
    const data = /^data:([^;,]*);base64,([A-Za-z0-9+/=\s]+)$/.exec(raw);
    if (data !== null) {
      return { name: 'file', contentType: data[1] || 'application/octet-stream', base64: data[2] ?? '' };
    }
    const url = httpUrl(name, raw);
    return { name: lastSegment(url), contentType: 'application/octet-stream', url };
  }
  if (isRecord(raw)) {
    const contentType =
      typeof raw['contentType'] === 'string' ? raw['contentType'] : 'application/octet-stream';
    const named = typeof raw['name'] === 'string' && raw['name'] !== '' ? raw['name'] : undefined;
    if (typeof raw['base64'] === 'string')
      return { name: named ?? 'file', contentType, base64: raw['base64'] };
    if (typeof raw['url'] === 'string') {
      const url = httpUrl(name, raw['url']);
      return { name: named ?? lastSegment(url), contentType, url };
    }
  }
  throw new InvalidParameter(name, 'must be a file: a URL, or {name, contentType, base64}');
}

function lastSegment(url: string): string {
  return decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '') || 'file';
}
