/**
 * Numbers compared as they are written, not as doubles: `5.50` equals `5.5`, and integers beyond 2^53 stay
 * exact. A text is a number only in the form that JSON has, so `007` and `1,5` are text.
 */

interface Decimal {
  readonly sign: -1 | 0 | 1;
  /** Significant digits without leading or trailing zeros. */
  readonly digits: string;
  /** Power of ten of the first digit. */
  readonly magnitude: number;
}

const written = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d{1,9}))?$/;

/** Reads a number, or a text with the form of one; anything else is undefined. */
export function readDecimal(value: unknown): Decimal | undefined {
  if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'string') return undefined;
  const match = written.exec(typeof value === 'string' ? value.trim() : String(value));
  if (match === null) return undefined;
  const [, minus, whole = '', fraction = '', exponent = '0'] = match;
  const all = whole + fraction;
  const leading = all.search(/[1-9]/);
  if (leading === -1) return { sign: 0, digits: '', magnitude: 0 };
  return {
    sign: minus === '-' ? -1 : 1,
    digits: trimTrailingZeros(all.slice(leading)),
    magnitude: whole.length - 1 - leading + Number(exponent),
  };
}

/** Negative, zero or positive as `a` is below, equal to or above `b`. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.sign !== b.sign) return a.sign - b.sign;
  if (a.sign === 0) return 0;
  return a.sign * compareSizes(a, b);
}

function compareSizes(a: Decimal, b: Decimal): number {
  if (a.magnitude !== b.magnitude) return a.magnitude - b.magnitude;
  if (a.digits === b.digits) return 0;
  // Same magnitude: the digits order like words do.
  return a.digits < b.digits ? -1 : 1;
}

function trimTrailingZeros(digits: string): string {
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 48) end -= 1;
  return digits.slice(0, end);
}
