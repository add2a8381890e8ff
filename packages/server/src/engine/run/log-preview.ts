import { isRecord } from '#domain/exact-json';

/** Values up to this many characters of JSON are shown whole. */
const shownWhole = 64 * 1024;
const mostText = 2_000;
const mostItems = 50;
const deepest = 12;

export interface LogPreview {
  readonly shown: unknown;
  /** Something was left out: the whole value is there on demand. */
  readonly isCut: boolean;
}

/**
 * A value as the log of an execution shows it: one huge value must neither hide the others nor make the log slow.
 * Data that flows between nodes never comes from here.
 */
export function logPreview(value: unknown): LogPreview {
  const size = JSON.stringify(value)?.length ?? 0;
  if (size <= shownWhole) return { shown: value, isCut: false };
  return { shown: cut(value, 0, { left: shownWhole }), isCut: true };
}

/** Counts down what may still be shown, whatever the shape of the value. */
interface Room {
  left: number;
}

function cut(value: unknown, depth: number, room: Room): unknown {
  if (typeof value === 'string') {
    const length = Math.max(0, Math.min(value.length, mostText, room.left));
    room.left -= length;
    return length === value.length ? value : `${value.slice(0, length)}… (${value.length} characters)`;
  }
  if (Array.isArray(value)) {
    if (depth >= deepest) return `… (a list of ${value.length})`;
    const shown: unknown[] = [];
    for (const item of value.slice(0, mostItems)) {
      if (room.left <= 0) break;
      shown.push(cut(item, depth + 1, room));
    }
    return shown.length === value.length ? shown : [...shown, `… (${value.length - shown.length} more)`];
  }
  if (!isRecord(value)) {
    room.left -= 8;
    return value;
  }
  const entries = Object.entries(value);
  if (depth >= deepest) return `… (an object of ${entries.length} fields)`;
  const shown: [string, unknown][] = [];
  for (const [key, item] of entries) {
    if (room.left <= 0) break;
    room.left -= key.length;
    shown.push([key.slice(0, mostText), cut(item, depth + 1, room)]);
  }
  if (shown.length < entries.length) shown.push(['…', `${entries.length - shown.length} more fields`]);
  return Object.fromEntries(shown);
}
