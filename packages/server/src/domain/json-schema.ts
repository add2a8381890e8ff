import { _, Ajv, type CodeKeywordDefinition, type Options } from 'ajv';
import Ajv2020 from 'ajv/dist/2020.js';
import ref from 'ajv/dist/vocabularies/core/ref.js';
import dynamicRef from 'ajv/dist/vocabularies/dynamic/dynamicRef.js';
import { RE2JS } from 're2js';

/** One thing that a value has wrong; `instancePath` is a JSON Pointer (RFC 6901). */
export interface SchemaFault {
  readonly instancePath: string;
  readonly message?: string | undefined;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What is wrong with a value; nothing when it fits. */
export type SchemaCheck = (value: unknown) => readonly SchemaFault[];

/**
 * Schemas come from customers and are run in our process: a pattern that backtracks for ever would stop everybody,
 * so patterns run in an engine of linear time. It knows no lookarounds and no back-references.
 */
const linearPattern = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
    // ajv tells patterns apart by their text.
    return { test: (text: string) => compiled.test(text), toString: () => `/${pattern}/` };
  },
  { code: 'linearPattern' },
);

const options: Options = {
  allErrors: true,
  strict: false,
  validateFormats: false,
  code: { regExp: linearPattern },
};

/**
 * Makes a function that compiles JSON Schemas and keeps the last ones by their text: compiling takes milliseconds, a
 * call must not. Each schema has an ajv of its own, so that none can refer to another's, and dropping it frees it.
 *
 * @returns a function that throws when a schema does not compile, with the reason as its message
 */
export function schemaCompiler(mostKept = 500): (schema: Readonly<Record<string, unknown>>) => SchemaCheck {
  const kept = new Map<string, SchemaCheck>();
  return (schema) => {
    const key = JSON.stringify(schema);
    const known = kept.get(key);
    if (known !== undefined) return known;
    const check = compile(schema);
    kept.set(key, check);
    // The oldest goes first; whoever still needs it compiles it again.
    if (kept.size > mostKept) kept.delete(kept.keys().next().value ?? '');
    return check;
  };
}

/** More than a payload of the greatest size follows with a schema that means well. */
const mostReferences = 1_000_000;

/** How many more references may be followed; what follows one more throws. */
interface References {
  left: number;
}

class TooManyReferences extends Error {}

function compile({ $schema: _dialect, ...schema }: Readonly<Record<string, unknown>>): SchemaCheck {
  // Compiling follows each reference once.
  const references = { left: Infinity };
  const validate = compiledBy(schema, references);
  return (value) => {
    references.left = mostReferences;
    try {
      return validate(value) ? [] : (validate.errors ?? []);
    } catch (error) {
      if (error instanceof TooManyReferences) return [uncheckable('the schema follows too many references')];
      if (error instanceof RangeError) return [uncheckable('the schema refers to itself for ever')];
      throw error;
    }
  };
}

function uncheckable(why: string): SchemaFault {
  return { instancePath: '', message: `cannot be checked: ${why}`, params: {} };
}

/** By draft 2020-12, and what that refuses (lists under `items`) by draft 7, whatever `$schema` says. */
function compiledBy(schema: Record<string, unknown>, references: References) {
  try {
    return withBoundedKeywords(new Ajv2020.default(options), references).compile(schema);
  } catch (error) {
    try {
      return withBoundedKeywords(new Ajv(options), references).compile(schema);
    } catch {
      throw error;
    }
  }
}

/**
 * ajv compares each object of a list with each other one: a payload of 3 MB would take hours. And it follows every
 * reference as often as it is met: thirty that each name the next one twice are a thousand million.
 */
function withBoundedKeywords(ajv: Ajv, references: References): Ajv {
  for (const keyword of [ref.default, dynamicRef.default]) {
    if (ajv.getKeyword(keyword.keyword as string) === false) continue; // draft 7 has no $dynamicRef
    ajv.removeKeyword(keyword.keyword as string).addKeyword(counted(keyword, references));
  }
  return ajv.removeKeyword('uniqueItems').addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    validate: (isAsked: boolean, list: readonly unknown[]) =>
      !isAsked || new Set(list.map((item) => JSON.stringify(item))).size === list.length,
    error: { message: 'must not hold the same item twice' },
  });
}

function counted(keyword: CodeKeywordDefinition, references: References): CodeKeywordDefinition {
  const count = (): void => {
    references.left -= 1;
    if (references.left < 0) throw new TooManyReferences();
  };
  return {
    ...keyword,
    code(cxt, ruleType) {
      const counter = cxt.gen.scopeValue('func', { ref: count });
      cxt.gen.code(_`${counter}()`);
      keyword.code(cxt, ruleType);
    },
  };
}
