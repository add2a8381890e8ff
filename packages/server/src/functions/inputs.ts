import type { FunctionField } from '#db/schema';
import { AppError } from '#domain/errors';

/**
 * The inputs of a call, checked and completed: text that a template made of a number, a truth value or JSON becomes
 * what the function asks for.
 *
 * @throws AppError `function_input_invalid` naming the input
 */
export function readInputs(
  name: string,
  fields: readonly FunctionField[],
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const read: Record<string, unknown> = {};
  for (const field of fields) {
    const value = Object.hasOwn(given, field.name) ? given[field.name] : undefined;
    const isAbsent = value === undefined || value === null || (value === '' && field.type !== 'string');
    if (isAbsent) {
      if (field.required) throw refuse(name, `its input "${field.name}" is missing`);
      continue;
    }
    const converted = converters[field.type](value);
    if (converted === undefined) {
      throw refuse(name, `its input "${field.name}" takes ${words[field.type]}, not ${shown(value)}`);
    }
    read[field.name] = converted;
  }
  return read;
}

const words: Readonly<Record<FunctionField['type'], string>> = {
  any: 'anything',
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
};

/** What a value becomes as a type; undefined: it cannot be one. */
const converters: Readonly<Record<FunctionField['type'], (value: unknown) => unknown>> = {
  any: (value) => value,
  string: (value) =>
    typeof value === 'string' ? value : typeof value === 'object' ? undefined : JSON.stringify(value),
  number(value) {
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
  },
  boolean: (value) =>
    value === true || value === 'true' ? true : value === false || value === 'false' ? false : undefined,
  array(value) {
    const parsed = parsedText(value);
    return Array.isArray(parsed) ? parsed : undefined;
  },
  object(value) {
    const parsed = parsedText(value);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed : undefined;
  },
};

function parsedText(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
}

function shown(value: unknown): string {
  return typeof value === 'object'
    ? 'an object or array'
    : `"${(typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 60)}"`;
}

function refuse(name: string, reason: string): AppError {
  return new AppError('function_input_invalid', { name, reason });
}
