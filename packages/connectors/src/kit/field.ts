/**
 * Fields: what a person or a workflow fills in. One description serves the portal's forms, the builder, the
 * wire's action schema and the compiler: `Input<typeof input>` is what `request` receives.
 */
import type { Choice } from '#kit/choice';
import type { Json, JsonObject } from '#kit/json';
import type { Options } from '#kit/options';
import type { FileValue } from '#kit/request';

export type FieldType =
  | 'text'
  | 'secret'
  | 'number'
  | 'boolean'
  | 'date'
  | 'datetime'
  | 'email'
  | 'url'
  | 'textarea'
  | 'select'
  | 'multiselect'
  | 'list'
  | 'json'
  | 'map'
  | 'file';

/** What a JSON parameter must be; `json-or-text` takes text that is no JSON as it is. */
type JsonShape = 'any' | 'object' | 'array' | 'json-or-text';

declare const value: unique symbol;

/** One field. `Value` is what code receives after coercion: `undefined` is in it only when it may be absent. */
export interface Field<Value = unknown> {
  readonly type: FieldType;
  readonly label: string;
  readonly required: boolean;
  readonly help?: string;
  readonly placeholder?: string;
  readonly default?: unknown;
  /** Fixed choices, or a list read live from the account. */
  readonly options?: readonly Choice[] | Options;
  /** `json` only. */
  readonly shape?: JsonShape;
  /** `list` only. */
  readonly of?: 'text' | 'email' | 'number';
  readonly [value]?: Value;
}

export type Fields = Readonly<Record<string, Field>>;

/** No fields at all: any parameter name is then a compile error. */
// oxlint-disable-next-line typescript/no-generated-empty-object-type -- the empty object type is the point
export type NoFields = Record<never, never>;

/** The values of a set of fields, as `request`, `run` and `sign` receive them. */
export type Input<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer V> ? V : never };

interface Common {
  readonly label: string;
  readonly help?: string;
  readonly placeholder?: string;
}

/** Two overloads per field: one generic with a default would lose the literal `false` of `required`. */
interface Maker<Value, Default = Value, Extra = object> {
  (spec: Common & Extra & { readonly required?: true; readonly default?: never }): Field<Value>;
  (spec: Common & Extra & { readonly required?: boolean; readonly default: Default }): Field<Value>;
  (spec: Common & Extra & { readonly required: false; readonly default?: never }): Field<Value | undefined>;
}

type AnySpec = Common & {
  readonly required?: boolean;
  readonly default?: unknown;
  readonly options?: readonly (string | Choice)[] | Options;
  readonly shape?: JsonShape;
  readonly of?: 'text' | 'email' | 'number';
};

function make(type: FieldType): (spec: AnySpec) => Field<never> {
  return ({ options, ...spec }) =>
    Object.freeze({
      ...spec,
      type,
      // A default answers for a missing value, so nobody has to fill the field in.
      required: spec.default === undefined && spec.required !== false,
      ...(options !== undefined && { options: isFixed(options) ? options.map(asChoice) : options }),
    });
}

function isFixed(options: readonly (string | Choice)[] | Options): options is readonly (string | Choice)[] {
  return Array.isArray(options);
}

function asChoice(choice: string | Choice): Choice {
  return typeof choice === 'string' ? { name: choice, value: choice } : choice;
}

type Picked<O> = O extends readonly (infer C)[]
  ? C extends string
    ? C
    : C extends { readonly value: infer V extends string }
      ? V
      : never
  : string;

interface SelectMaker<Many extends boolean> {
  <const O extends readonly (string | Choice)[] | Options>(
    spec: Common & { readonly options: O; readonly required?: true; readonly default?: never },
  ): Field<Many extends true ? readonly Picked<O>[] : Picked<O>>;
  <const O extends readonly (string | Choice)[] | Options>(
    spec: Common & {
      readonly options: O;
      readonly required?: boolean;
      readonly default: Many extends true ? readonly NoInfer<Picked<O>>[] : NoInfer<Picked<O>>;
    },
  ): Field<Many extends true ? readonly Picked<O>[] : Picked<O>>;
  <const O extends readonly (string | Choice)[] | Options>(
    spec: Common & { readonly options: O; readonly required: false; readonly default?: never },
  ): Field<(Many extends true ? readonly Picked<O>[] : Picked<O>) | undefined>;
}

interface JsonMaker {
  <S extends JsonShape = 'any'>(
    spec: Common & { readonly shape?: S; readonly required?: true; readonly default?: never },
  ): Field<Shaped<S>>;
  <S extends JsonShape = 'any'>(
    spec: Common & { readonly shape?: S; readonly required: false; readonly default?: never },
  ): Field<Shaped<S> | undefined>;
}
type Shaped<S extends JsonShape> = S extends 'object'
  ? JsonObject
  : S extends 'array'
    ? readonly Json[]
    : Json;

/**
 * Makers of fields. Required unless `required: false` or a `default` is given.
 *
 * | maker | code receives | also accepts from the wire |
 * | --- | --- | --- |
 * | `text`, `textarea`, `secret` | string | numbers, booleans |
 * | `email`, `url` | string, checked | |
 * | `number` | number | numeric strings |
 * | `boolean` | boolean | `"true"`, `"false"`, `1`, `0` |
 * | `date` | `YYYY-MM-DD` | date-times |
 * | `datetime` | ISO 8601 in UTC | dates (midnight UTC), offsets (UTC without), Unix seconds or milliseconds |
 * | `select` | one of the values, as a literal type | |
 * | `multiselect`, `list` | array | one value, comma-separated text, a JSON array in text |
 * | `json` | parsed JSON, of `shape` | JSON in text |
 * | `map` | string by string | JSON in text |
 * | `file` | `FileValue` | a URL, a `data:` URL, `{name, contentType, base64 or url}` |
 */
export const field = {
  text: make('text') as Maker<string>,
  textarea: make('textarea') as Maker<string>,
  secret: make('secret') as Maker<string>,
  email: make('email') as Maker<string>,
  url: make('url') as Maker<string>,
  number: make('number') as Maker<number>,
  boolean: make('boolean') as Maker<boolean>,
  date: make('date') as Maker<string>,
  datetime: make('datetime') as Maker<string>,
  select: make('select') as SelectMaker<false>,
  multiselect: make('multiselect') as SelectMaker<true>,
  list: make('list') as Maker<
    readonly string[],
    readonly string[],
    { readonly of?: 'text' | 'email' | 'number' }
  >,
  json: make('json') as JsonMaker,
  map: make('map') as Maker<Readonly<Record<string, string>>>,
  file: make('file') as Maker<FileValue, never>,
} as const;
