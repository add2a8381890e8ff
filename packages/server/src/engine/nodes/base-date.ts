const iso =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?)?$/i;
const yearFirst = /^(\d{4})\/(\d{1,2})\/(\d{1,2})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?$/;
const monthFirst = /^(\d{1,2})\/(\d{1,2})\/(\d{4})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?$/;

/**
 * Reads an ISO date (with or without a time), `YYYY/MM/DD` or `MM/DD/YYYY`. Without an offset it is UTC. A date
 * that no calendar has, and `DD/MM/YYYY` where it can be told apart, is refused: undefined.
 */
export function readBaseDate(text: string): Date | undefined {
  const given = text.trim();
  let parts = iso.exec(given);
  if (parts !== null) {
    const [, year, month, day, hour, minute, second, fraction, offset] = parts;
    return dateOf([year, month, day, hour, minute, second], fraction, offset);
  }
  parts = yearFirst.exec(given);
  if (parts !== null) return dateOf(parts.slice(1));
  parts = monthFirst.exec(given);
  if (parts === null) return undefined;
  const [, month, day, year, ...time] = parts;
  return dateOf([year, month, day, ...time]);
}

function dateOf(
  parts: readonly (string | undefined)[],
  fraction: string = '0',
  offset: string = 'Z',
): Date | undefined {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map((part) =>
    Number(part ?? 0),
  );
  const millisecond = Math.floor(Number(`0.${fraction}`) * 1_000);
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second, millisecond));
  // Date.UTC carries what is too large over to the next unit: the 30th of February is not the 2nd of March here.
  const isReal =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    hour < 24 &&
    minute < 60 &&
    second < 60;
  return isReal ? new Date(date.getTime() - offsetMs(offset)) : undefined;
}

function offsetMs(offset: string): number {
  if (offset.toUpperCase() === 'Z') return 0;
  const [hours, minutes] = [offset.slice(1, 3), offset.slice(-2)].map(Number);
  return (offset.startsWith('-') ? -1 : 1) * ((hours ?? 0) * 60 + (minutes ?? 0)) * 60_000;
}
