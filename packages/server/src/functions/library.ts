import { createCipheriv, createHash, randomBytes, randomUUID, scryptSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { UTCDate, utc } from '@date-fns/utc';
import type * as DateFns from 'date-fns';
import type { FunctionField } from '#db/schema';

/**
 * Its package.json lists 200 KB of exports, and Node parses that list again for each of the 300 files of the ES build:
 * 2.2 s of processor time at every start. As CommonJS it takes 0.1 s, and only of whoever works with dates.
 */
const dateFns = (): typeof DateFns => createRequire(import.meta.url)('date-fns') as typeof DateFns;

/** The built-in, read-only functions (spec/workflows §12.4): pure, apart from the clock and random bytes. */
export interface LibraryFunction {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly inputs: readonly FunctionField[];
  readonly outputs: readonly FunctionField[];
  /** @throws Error whose message says what is wrong with the inputs */
  readonly run: (inputs: Readonly<Record<string, unknown>>, now: Date) => unknown;
}

type FieldType = FunctionField['type'];

const field = (name: string, type: FieldType, description: string, required = true): FunctionField => ({
  name,
  type,
  required,
  description,
});

const defaultFormat = "yyyy-MM-dd'T'HH:mm:ss.SSSXXX";
const units = ['seconds', 'minutes', 'hours', 'days', 'weeks', 'months', 'years'] as const;
const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  modulus: (a, b) => a % b,
};

const dateField = field(
  'date',
  'any',
  'ISO text, milliseconds since 1970, or text in the format of "from_format".',
);
const fromFormat = field('from_format', 'string', 'How "date" is written, such as dd.MM.yyyy.', false);
const toFormat = field('format', 'string', 'How the result is written, such as yyyy-MM-dd.', false);

export const functionLibrary: readonly LibraryFunction[] = [
  {
    id: 'builtin:find_element',
    name: 'Find element in array',
    description: 'Where a value stands in an array; -1 when it is not there.',
    inputs: [field('array', 'array', 'Where to look.'), field('element', 'any', 'What to look for.')],
    outputs: [field('index', 'number', 'Counted from 0.')],
    run: ({ array, element }) => {
      const wanted = JSON.stringify(element);
      return { index: (array as unknown[]).findIndex((item) => JSON.stringify(item) === wanted) };
    },
  },
  {
    id: 'builtin:group_by',
    name: 'Group objects by key',
    description: 'The objects of an array, by what each holds under a key.',
    inputs: [field('array', 'array', 'Objects.'), field('key', 'string', 'Dots lead into nested objects.')],
    outputs: [field('groups', 'object', 'Value of the key -> objects.')],
    run: ({ array, key }) => ({ groups: groupBy(array as unknown[], key as string) }),
  },
  {
    id: 'builtin:encrypt_string',
    name: 'Encrypt string',
    description:
      'With a password: AES-256-GCM, base64 of salt (16 bytes), nonce (12), tag (16) and text; the key is scrypt of password and salt. Without one: SHA-256, which nobody can undo.',
    inputs: [field('text', 'string', 'What to encrypt.'), field('password', 'string', 'The secret.', false)],
    outputs: [field('encrypted', 'string', 'Base64, or hex without a password.')],
    run: ({ text, password }) => ({ encrypted: encrypt(text as string, password as string | undefined) }),
  },
  {
    id: 'builtin:current_date',
    name: 'Current date',
    description: 'The time now, in UTC.',
    inputs: [toFormat],
    outputs: [field('date', 'string', 'The time now.')],
    run: ({ format: pattern }, now) => ({ date: write(new UTCDate(now), pattern) }),
  },
  {
    id: 'builtin:convert_date_format',
    name: 'Convert date format',
    description: 'The same date, written in another way.',
    inputs: [dateField, fromFormat, { ...toFormat, required: true }],
    outputs: [field('date', 'string', 'The date in its new format.')],
    run: (inputs) => ({ date: write(readDate(inputs), inputs['format']) }),
  },
  {
    id: 'builtin:extract_date_units',
    name: 'Extract date units',
    description: 'Year, month, day and so on of a date.',
    inputs: [dateField, fromFormat],
    outputs: ['year', 'month', 'day', 'hour', 'minute', 'second', 'weekday'].map((name) =>
      field(name, 'number', name === 'weekday' ? '1 is Monday, 7 Sunday.' : `The ${name}.`),
    ),
    run: (inputs) => unitsOf(readDate(inputs)),
  },
  {
    id: 'builtin:add_time',
    name: 'Add or subtract time',
    description: 'A date some seconds to years later or earlier.',
    inputs: [
      dateField,
      fromFormat,
      field('amount', 'number', 'How many; below 0 goes back.'),
      field('unit', 'string', `One of ${units.join(', ')}.`),
      field('operation', 'string', '"add" (as without it) or "subtract".', false),
      toFormat,
    ],
    outputs: [field('date', 'string', 'The other date.')],
    run: (inputs) => ({ date: write(shift(inputs), inputs['format']) }),
  },
  {
    id: 'builtin:uuid',
    name: 'UUID',
    description: 'A new random UUID (version 4).',
    inputs: [],
    outputs: [field('uuid', 'string', 'Never given twice.')],
    run: () => ({ uuid: randomUUID() }),
  },
  {
    id: 'builtin:math',
    name: 'Sequential math',
    description: 'A number, and operations that are applied to it one after the other.',
    inputs: [
      field('value', 'number', 'What to start with.'),
      field('operations', 'array', '[{"operation": "add|subtract|multiply|divide|modulus", "value": 2}, …]'),
    ],
    outputs: [field('result', 'number', 'What comes of it.')],
    run: ({ value, operations: steps }) => ({ result: calculate(value as number, steps as unknown[]) }),
  },
];

/** A built-in function by its id. */
export function findLibraryFunction(id: string): LibraryFunction | undefined {
  return functionLibrary.find((one) => one.id === id);
}

/** Text as it is, anything else as JSON. */
function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function groupBy(items: readonly unknown[], key: string): Record<string, unknown[]> {
  const groups: Record<string, unknown[]> = Object.create(null) as Record<string, unknown[]>;
  for (const item of items) {
    let value = item;
    for (const part of key.split('.')) {
      const isHeld = typeof value === 'object' && value !== null && Object.hasOwn(value, part);
      value = isHeld ? (value as Record<string, unknown>)[part] : undefined;
    }
    const name = asText(value);
    if (name === '__proto__') throw new Error('a group cannot be called "__proto__"');
    (groups[name] ??= []).push(item);
  }
  return { ...groups };
}

function encrypt(text: string, password: string | undefined): string {
  if (password === undefined || password === '') return createHash('sha256').update(text).digest('hex');
  const [salt, nonce] = [randomBytes(16), randomBytes(12)];
  const cipher = createCipheriv('aes-256-gcm', scryptSync(password, salt, 32), nonce);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([salt, nonce, cipher.getAuthTag(), sealed]).toString('base64');
}

function readDate({ date, from_format: pattern }: Readonly<Record<string, unknown>>): Date {
  const given = asText(date);
  const read =
    typeof pattern === 'string' && pattern !== ''
      ? readPattern(given, pattern)
      : /^-?\d{9,}$/.test(given)
        ? new UTCDate(Number(given))
        : dateFns().parseISO(given, { in: utc });
  if (!dateFns().isValid(read))
    throw new Error(`"date" is "${given.slice(0, 60)}", which is not a date of that format`);
  return read;
}

function readPattern(text: string, pattern: string): Date {
  try {
    return dateFns().parse(text, pattern, new UTCDate(2000, 0, 1), { in: utc });
  } catch (error) {
    throw new Error(`"from_format": ${(error as Error).message}`, { cause: error });
  }
}

function write(date: Date, pattern: unknown): string {
  const wanted = typeof pattern === 'string' && pattern !== '' ? pattern : defaultFormat;
  try {
    return dateFns().format(date, wanted, { in: utc });
  } catch (error) {
    throw new Error(`"format": ${(error as Error).message}`, { cause: error });
  }
}

function unitsOf(date: Date): Record<string, number> {
  return {
    year: date.getFullYear(),
    month: date.getMonth() + 1,
    day: date.getDate(),
    hour: date.getHours(),
    minute: date.getMinutes(),
    second: date.getSeconds(),
    weekday: date.getDay() === 0 ? 7 : date.getDay(),
  };
}

function shift(inputs: Readonly<Record<string, unknown>>): Date {
  const unit = units.find((one) => one === inputs['unit'] || one === `${asText(inputs['unit'])}s`);
  if (unit === undefined) {
    throw new Error(`"unit" is "${asText(inputs['unit'])}"; choose one of ${units.join(', ')}`);
  }
  const operation = inputs['operation'] ?? 'add';
  if (operation !== 'add' && operation !== 'subtract') {
    throw new Error(`"operation" is "${asText(operation)}"; choose "add" or "subtract"`);
  }
  const amount = { [unit]: inputs['amount'] as number };
  const { add, isValid, sub } = dateFns();
  const moved = (operation === 'add' ? add : sub)(readDate(inputs), amount, { in: utc });
  if (!isValid(moved)) throw new Error('the result is out of the range of dates');
  return moved;
}

function calculate(start: number, steps: readonly unknown[]): number {
  return steps.reduce<number>((total, step, at) => {
    const { operation, value } = (step ?? {}) as { operation?: unknown; value?: unknown };
    const name = asText(operation);
    const apply = Object.hasOwn(operations, name) ? operations[name] : undefined;
    if (apply === undefined) {
      throw new Error(
        `"operations.${at}.operation" is "${name}"; choose one of ${Object.keys(operations).join(', ')}`,
      );
    }
    const operand = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof operand !== 'number' || !Number.isFinite(operand)) {
      throw new Error(`"operations.${at}.value" is not a number`);
    }
    if (operand === 0 && (name === 'divide' || name === 'modulus')) {
      throw new Error(`"operations.${at}" divides by zero`);
    }
    return apply(total, operand);
  }, start);
}
