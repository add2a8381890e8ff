import { z } from 'zod';
import type { NodeField, NodeType } from '#engine/nodes/node-type';

/** One setting of a node type, as its schema and its form say it. */
export interface SettingRow {
  /** Dotted; `[]` stands for each entry of a list. */
  readonly path: string;
  /** What it takes, with its limits. */
  readonly value: string;
  readonly isRequired: boolean;
  readonly default: unknown;
  readonly meaning: string;
}

/** Settings of a node type that people fill in, and those that are only read (older names, other builders). */
export interface SettingsTable {
  readonly rows: readonly SettingRow[];
  readonly alsoRead: readonly string[];
}

/** The part of JSON Schema that zod writes for settings. */
interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly format?: string;
  readonly default?: unknown;
  readonly description?: string;
}

/** Of one type at most: an empty field may always be null. */
type PlainSchema = Omit<JsonSchema, 'type'> & { readonly type?: string };

const deepest = 3;

/** Reads the running schema and form of a node type. */
export function settingsTable({ fields, settings }: Pick<NodeType, 'fields' | 'settings'>): SettingsTable {
  const schema = plain(jsonSchemaOf(settings));
  const properties = schema.properties ?? {};
  const required = new Set(schema.required ?? []);
  const formRows = Object.entries(fields).flatMap(([name, field]) =>
    rowsOf(name, properties[name] ?? {}, {
      field,
      isRequired: field.required === true || required.has(name),
    }),
  );
  const others = Object.entries(properties).filter(([name]) => !Object.hasOwn(fields, name));
  const described = others.filter(([, property]) => plain(property).description !== undefined);
  return {
    rows: [
      ...formRows,
      ...described.flatMap(([name, property]) =>
        rowsOf(name, property, { isRequired: required.has(name) && !isAny(plain(property)) }),
      ),
    ],
    alsoRead: others.filter((entry) => !described.includes(entry)).map(([name]) => name),
  };
}

/** A schema of what is written down: before numbers are read from text, and defaults are filled in. */
function jsonSchemaOf(settings: z.ZodType): JsonSchema {
  return z.toJSONSchema(settings, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      // Words are read in any case before they are looked up: the list stands behind the reading.
      if (!(zodSchema instanceof z.ZodPipe) || !(zodSchema.out instanceof z.ZodEnum)) return;
      jsonSchema.enum = Object.values(zodSchema.out.enum);
    },
  }) as JsonSchema;
}

interface About {
  readonly field?: NodeField;
  readonly isRequired: boolean;
}

function rowsOf(path: string, written: JsonSchema, { field, isRequired }: About): SettingRow[] {
  const schema = plain(written);
  const row = {
    path,
    value: valueText(schema, field),
    isRequired,
    default: field?.default ?? written.default ?? schema.default,
    meaning: meaningOf(schema, field),
  };
  return [row, ...partsOf(path, schema)];
}

/** Rows of what is inside an object, or inside the objects of a list. */
function partsOf(path: string, schema: PlainSchema): SettingRow[] {
  const isList = schema.type === 'array';
  const inner = isList ? plain(schema.items ?? {}) : schema;
  if (path.split('.').length >= deepest) return [];
  return Object.entries(inner.properties ?? {}).flatMap(([name, property]) =>
    rowsOf(`${path}${isList ? '[]' : ''}.${name}`, property, {
      isRequired: inner.required?.includes(name) === true && !isAny(plain(property)),
    }),
  );
}

/** Without the null that forms send for an empty field; what stands around the one choice that is left stays. */
function plain(written: JsonSchema): PlainSchema {
  const { anyOf, type: types, ...around } = written;
  const [type] = [types ?? []].flat().filter((one) => one !== 'null');
  if (anyOf === undefined) return { ...around, ...(type !== undefined && { type }) };
  const choices = anyOf.filter((choice) => choice.type !== 'null' && choice.const !== '');
  const [only] = choices;
  if (choices.length !== 1 || only === undefined) return { ...around, anyOf: choices };
  return { ...plain(only), ...around };
}

function isAny(schema: PlainSchema): boolean {
  return schema.type === undefined && schema.enum === undefined && schema.anyOf === undefined;
}

function meaningOf(schema: PlainSchema, field: NodeField | undefined): string {
  const label = field === undefined ? '' : `${field.label}.`;
  const help = field?.help ?? schema.description ?? '';
  const example = field?.placeholder === undefined ? '' : `Such as \`${field.placeholder}\`.`;
  return [label, help, example].filter((part) => part !== '').join(' ');
}

/** What a form field takes where its schema says nothing, or less than the form. */
const fieldWords: Readonly<Record<NodeField['type'], string>> = {
  text: 'text',
  textarea: 'text',
  number: 'number',
  boolean: 'true or false',
  select: 'text',
  json: 'JSON',
  map: 'names and values',
  code: 'source text',
  conditions: 'list of conditions',
  app: 'slug of an app',
  action: 'id of an action',
  action_parameters: 'names and values',
  function: 'id of a function',
  function_inputs: 'names and values',
};

const saysMore = new Set<NodeField['type']>([
  'boolean',
  'code',
  'conditions',
  'app',
  'action',
  'action_parameters',
  'function',
  'function_inputs',
  'map',
]);

function valueText(schema: PlainSchema, field: NodeField | undefined): string {
  if (field?.options !== undefined) return listed(field.options.map(({ value }) => value));
  if (field !== undefined && (saysMore.has(field.type) || isAny(schema))) return fieldWords[field.type];
  return schemaText(schema) || 'anything';
}

function schemaText(schema: PlainSchema): string {
  if (schema.enum !== undefined) return listed(schema.enum.filter((value) => value !== ''));
  if (schema.const !== undefined) return code(schema.const);
  if (schema.anyOf !== undefined) {
    return [...new Set(schema.anyOf.map((choice) => schemaText(plain(choice))))]
      .filter((text) => text !== '')
      .join(' or ');
  }
  switch (schema.type) {
    case 'string':
      return `${schema.format === 'uri' ? 'URL' : 'text'}${atMost(schema.maxLength, 'characters')}`;
    case 'integer':
      return `whole number${range(schema)}`;
    case 'number':
      return `number${range(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'array': {
      const items = schemaText(plain(schema.items ?? {}));
      return `list${items === '' ? '' : ` of ${items === 'object' ? 'objects' : items}`}${atMost(schema.maxItems, 'entries')}`;
    }
    case 'object':
      return schema.properties === undefined || Object.keys(schema.properties).length === 0
        ? 'names and values'
        : 'object';
    default:
      return '';
  }
}

function listed(values: readonly unknown[]): string {
  return values.map((value) => (value === '' ? 'empty' : code(value))).join(', ');
}

export function code(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

const grouped = new Intl.NumberFormat('en');

function atMost(limit: number | undefined, what: string): string {
  return limit === undefined ? '' : `, at most ${grouped.format(limit)} ${what}`;
}

function range({ minimum, maximum }: PlainSchema): string {
  const least = minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? undefined : minimum;
  const most = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (least !== undefined && most !== undefined) {
    return ` from ${grouped.format(least)} to ${grouped.format(most)}`;
  }
  if (least !== undefined) return `, at least ${grouped.format(least)}`;
  return most === undefined ? '' : `, at most ${grouped.format(most)}`;
}
