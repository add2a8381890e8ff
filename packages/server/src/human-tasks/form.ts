import type { FieldProblem } from '#domain/errors';

export type FormFieldType = 'text' | 'number' | 'date' | 'dropdown' | 'radio';

/** One question of a form. */
export interface FormField {
  readonly name: string;
  readonly label: string;
  readonly type: FormFieldType;
  readonly help?: string | undefined;
  readonly required: boolean;
  readonly readOnly: boolean;
  /** Of dropdown and radio. */
  readonly options: readonly { readonly label: string; readonly value: string }[];
}

/** An empty answer is null. */
export type FormValue = string | number | null;
export type FormValues = Readonly<Record<string, FormValue>>;

/** A form as people get it: its questions, and what is filled in already. */
export interface Form {
  readonly title: string;
  readonly description: string;
  readonly fields: readonly FormField[];
  readonly prefilled: FormValues;
}

const longestText = 10_000;

/** What a form is filled in with beforehand. A problem is the workflow's: nobody could repair it in the form. */
export function prefill(
  fields: readonly FormField[],
  given: Readonly<Record<string, unknown>>,
): { readonly values: FormValues; readonly problems: readonly FieldProblem[] } {
  const { values, problems } = read(fields, given);
  for (const field of fields) {
    if (field.required && field.readOnly && values[field.name] === null) {
      problems.push({ path: field.name, message: 'is required and read-only, so it has to be prefilled' });
    }
  }
  return { values, problems };
}

/** Checks what somebody sent in. Fields that are read-only may be left out, or sent back as they are. */
export function checkAnswer(
  { fields, prefilled }: Form,
  given: Readonly<Record<string, unknown>>,
): { readonly values: FormValues; readonly problems: readonly FieldProblem[] } {
  const answer = read(fields, given);
  const { problems } = answer;
  const values: Record<string, FormValue> = answer.values;
  const refused = new Set(problems.map(({ path }) => path));
  for (const { name, readOnly, required } of fields) {
    const before = prefilled[name] ?? null;
    if (readOnly) {
      if (Object.hasOwn(given, name) && (refused.has(name) || values[name] !== before)) {
        if (!refused.has(name)) problems.push({ path: name, message: 'cannot be changed' });
      }
      values[name] = before;
    } else if (required && values[name] === null && !refused.has(name)) {
      problems.push({ path: name, message: 'is required' });
    }
  }
  return { values, problems };
}

function read(
  fields: readonly FormField[],
  given: Readonly<Record<string, unknown>>,
): { values: Record<string, FormValue>; problems: FieldProblem[] } {
  const values: Record<string, FormValue> = {};
  const problems: FieldProblem[] = [];
  const known = new Set(fields.map(({ name }) => name));
  for (const name of Object.keys(given)) {
    if (!known.has(name)) problems.push({ path: name, message: 'is not a field of the form' });
  }
  for (const field of fields) {
    values[field.name] = null;
    const value = Object.hasOwn(given, field.name) ? given[field.name] : undefined;
    if (value === undefined || value === null || (typeof value === 'string' && value.trim() === '')) continue;
    const found = readValue(field, value);
    if ('value' in found) values[field.name] = found.value;
    else problems.push({ path: field.name, message: found.problem });
  }
  return { values, problems };
}

function readValue(field: FormField, value: unknown): { value: FormValue } | { problem: string } {
  switch (field.type) {
    case 'text': {
      if (typeof value !== 'string' && typeof value !== 'number') return { problem: 'must be text' };
      const text = String(value).replaceAll('\r\n', '\n');
      if (text.includes('\0')) return { problem: 'holds a NUL character' };
      return text.length > longestText
        ? { problem: `must have at most ${longestText} characters` }
        : { value: text };
    }
    case 'number': {
      const number = typeof value === 'string' ? readNumber(value) : value;
      return typeof number === 'number' && Number.isFinite(number)
        ? { value: number }
        : { problem: 'must be a number, such as 12 or 12.5' };
    }
    case 'date':
      return typeof value === 'string' && isDate(value)
        ? { value }
        : { problem: 'must be a date, such as 2026-12-31' };
    default: {
      const text = typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
      return field.options.some((option) => option.value === text)
        ? { value: text! }
        : { problem: 'must be one of the options' };
    }
  }
}

function readNumber(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : Number.NaN;
}

/** A day that the calendar has. */
function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

/** The form as JSON Schema, for programs that draw it themselves. */
export function jsonSchemaOf({ fields }: Form): Record<string, unknown> {
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map((field) => [field.name, propertyOf(field)])),
    required: fields.filter(({ required }) => required).map(({ name }) => name),
    additionalProperties: false,
  };
}

function propertyOf({ type, label, help, readOnly, options }: FormField): Record<string, unknown> {
  return {
    type: type === 'number' ? 'number' : 'string',
    title: label,
    ...(help !== undefined && { description: help }),
    ...(type === 'date' && { format: 'date' }),
    ...(options.length > 0 && { oneOf: options.map(({ label, value }) => ({ const: value, title: label })) }),
    ...(readOnly && { readOnly: true }),
  };
}

const widgets: Readonly<Record<FormFieldType, string>> = {
  text: 'text',
  number: 'updown',
  date: 'date',
  dropdown: 'select',
  radio: 'radio',
};

/** How the fields look, in the words of react-jsonschema-form. */
export function uiSchemaOf({ fields }: Form): Record<string, unknown> {
  return {
    'ui:order': fields.map(({ name }) => name),
    ...Object.fromEntries(
      fields.map(({ name, type, readOnly }) => [
        name,
        { 'ui:widget': widgets[type], ...(readOnly && { 'ui:readonly': true }) },
      ]),
    ),
  };
}
