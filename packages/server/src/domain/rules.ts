import { compareDecimals, readDecimal } from '#domain/decimal';
import { AppError, type FieldProblem } from '#domain/errors';
import { isRecord, parseExactJson } from '#domain/exact-json';
import { asText } from '#domain/template';

/** One comparison; `variable` and `value` hold resolved values, `undefined` for a template that found nothing. */
export interface Condition {
  readonly variable?: unknown;
  readonly operator: string;
  readonly value?: unknown;
}

/** Conditions of which all or any must hold; groups may stand inside groups. */
export interface RuleGroup {
  readonly match: 'all' | 'any';
  readonly conditions: readonly (Condition | RuleGroup)[];
}

export interface EvaluatedCondition {
  readonly variable: unknown;
  readonly operator: string;
  readonly value: unknown;
  readonly result: boolean;
}

export interface RuleOutcome {
  readonly result: boolean;
  readonly evaluated: readonly EvaluatedCondition[];
}

type Comparison = (left: unknown, right: unknown) => boolean;

const comparisons: Readonly<Record<string, Comparison>> = {
  eq: isEqual,
  neq: (left, right) => !isEqual(left, right),
  gt: numeric((order) => order > 0),
  gte: numeric((order) => order >= 0),
  lt: numeric((order) => order < 0),
  lte: numeric((order) => order <= 0),
  like: (left, right) => isScalar(left) && isLike(asText(left).toLowerCase(), asText(right).toLowerCase()),
  contains,
  not_contains: (left, right) => !contains(left, right),
  included_in: (left, right) => holds(asList(right), left),
  not_included_in: (left, right) => !holds(asList(right), left),
  starts_with: (left, right) => isScalar(left) && asText(left).startsWith(asText(right)),
  ends_with: (left, right) => isScalar(left) && asText(left).endsWith(asText(right)),
  is_null: (left) => left === null,
  not_null: (left) => left !== null,
  exist: (left) => left !== undefined && left !== null && left !== '',
  not_exist: (left) => left === undefined || left === null || left === '',
};

/** Spellings of configuration rules and of older documents. */
const synonyms: Readonly<Record<string, string>> = {
  start_with: 'starts_with',
  end_with: 'ends_with',
  greater_or_equal: 'gte',
  less_or_equal: 'lte',
  includes: 'contains',
  exists: 'exist',
  not_exists: 'not_exist',
};

/** Every operator that a condition may use, the canonical spelling first. */
export const ruleOperators: readonly string[] = [...Object.keys(comparisons), ...Object.keys(synonyms)];

const deepestGroup = 20;

/**
 * Decides a rule (spec/workflows §12.5). No conditions at all means nothing stands against it: true.
 *
 * @throws AppError `node_failed` for an operator that does not exist, and for groups nested out of reason.
 */
export function evaluateRule(rule: RuleGroup): RuleOutcome {
  const evaluated: EvaluatedCondition[] = [];
  return { result: evaluateGroup(rule, evaluated, 0), evaluated };
}

/**
 * Reads the conditions that a rule node, a trigger or a node's own settings hold: a bare list, or an object
 * with `match`/`rule`/`logic` and `conditions`.
 *
 * @throws AppError `node_failed` when it has another shape.
 */
export function readRule(raw: unknown): RuleGroup {
  if (Array.isArray(raw)) return { match: 'all', conditions: raw.map(readMember) };
  if (!isRecord(raw)) throw badRule('It is not a list of conditions.');
  const conditions = raw['conditions'] ?? [];
  if (!Array.isArray(conditions)) throw badRule('"conditions" is not a list.');
  return { match: readMatch(raw), conditions: conditions.map(readMember) };
}

/** What keeps a rule that is written down, with templates for its values, from being decided; each with its field. */
export function ruleProblems(raw: unknown, path: string): FieldProblem[] {
  try {
    return operatorProblems(readRule(raw), path);
  } catch (error) {
    return [{ path, message: error instanceof Error ? error.message : 'cannot be read' }];
  }
}

function operatorProblems(group: RuleGroup, path: string): FieldProblem[] {
  return group.conditions.flatMap((member, index): FieldProblem[] => {
    const at = `${path}[${index}]`;
    if ('conditions' in member) return operatorProblems(member, at);
    if (ruleOperators.includes(member.operator)) return [];
    const message = `"${member.operator}" is not an operator; use one of ${ruleOperators.join(', ')}`;
    return [{ path: `${at}.operator`, message }];
  });
}

function readMember(raw: unknown): Condition | RuleGroup {
  if (!isRecord(raw)) throw badRule('A condition is not an object with variable, operator and value.');
  if (Array.isArray(raw['conditions'])) return readRule(raw);
  const operator = raw['operator'];
  if (typeof operator !== 'string') throw badRule('A condition has no operator.');
  return {
    variable: raw['variable'] ?? ('variable' in raw ? raw['variable'] : raw['lhs']),
    operator,
    value: 'value' in raw ? raw['value'] : raw['rhs'],
  };
}

function readMatch(raw: Record<string, unknown>): 'all' | 'any' {
  const text = asText(raw['match'] ?? raw['rule'] ?? raw['logic'] ?? 'all').toLowerCase();
  if (['all', 'and', ''].includes(text)) return 'all';
  if (['any', 'or'].includes(text)) return 'any';
  throw badRule(`"${text}" is neither "all" nor "any".`);
}

function badRule(reason: string): AppError {
  return new AppError('node_failed', { reason: `The rule cannot be read. ${reason}` });
}

function evaluateGroup(group: RuleGroup, evaluated: EvaluatedCondition[], depth: number): boolean {
  if (depth > deepestGroup) throw badRule(`Its groups are nested more than ${deepestGroup} levels deep.`);
  if (group.conditions.length === 0) return true;
  // Every condition is evaluated, so that the log shows each of them.
  const results = group.conditions.map((member) =>
    'conditions' in member
      ? evaluateGroup(member, evaluated, depth + 1)
      : evaluateCondition(member, evaluated),
  );
  return group.match === 'all' ? results.every(Boolean) : results.some(Boolean);
}

function evaluateCondition(condition: Condition, evaluated: EvaluatedCondition[]): boolean {
  const name = Object.hasOwn(synonyms, condition.operator)
    ? synonyms[condition.operator]
    : condition.operator;
  const compare = name !== undefined && Object.hasOwn(comparisons, name) ? comparisons[name] : undefined;
  if (compare === undefined) {
    throw new AppError('node_failed', {
      reason: `The operator "${condition.operator}" does not exist. Use one of ${Object.keys(comparisons).join(', ')}.`,
    });
  }
  const result = compare(condition.variable, condition.value);
  evaluated.push({
    variable: condition.variable,
    operator: condition.operator,
    value: condition.value,
    result,
  });
  return result;
}

/** An array on the left holds a value on the right, unless that is an array too. */
function isEqual(left: unknown, right: unknown): boolean {
  return Array.isArray(left) && !Array.isArray(readStructure(right))
    ? holds(left, right)
    : isSame(left, right);
}

/** Equality inside one type domain: boolean, number, text. A value of another domain is never equal. */
function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (left === null || left === undefined || right === null || right === undefined) return false;
  if (typeof left === 'boolean' || typeof right === 'boolean') return isSameBoolean(left, right);
  if (typeof left === 'object' || typeof right === 'object') return isSameStructure(left, right);
  const [a, b] = [readDecimal(left), readDecimal(right)];
  if (a !== undefined && b !== undefined) return compareDecimals(a, b) === 0;
  return asText(left) === asText(right);
}

/** A rule's right side is usually typed text, so `true` and "true" are the same boolean; 1 is not. */
function isSameBoolean(left: unknown, right: unknown): boolean {
  return (typeof left === 'boolean' || typeof left === 'string') &&
    (typeof right === 'boolean' || typeof right === 'string')
    ? String(left) === String(right)
    : false;
}

function isSameStructure(left: unknown, right: unknown): boolean {
  const [a, b] = [readStructure(left), readStructure(right)];
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]))
  );
}

/** The other side of an object or array may be typed as JSON text. */
function readStructure(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value;
  try {
    return parseExactJson(value);
  } catch {
    return value; // text that merely begins like JSON
  }
}

function numeric(holdsFor: (order: number) => boolean): Comparison {
  return (left, right) => {
    const [a, b] = [readDecimal(left), readDecimal(right)];
    return a !== undefined && b !== undefined && holdsFor(compareDecimals(a, b));
  };
}

function contains(left: unknown, right: unknown): boolean {
  if (Array.isArray(left)) return holds(left, right);
  return isScalar(left) && asText(left).includes(asText(right));
}

function holds(list: readonly unknown[], value: unknown): boolean {
  return list.some((item) => isSame(item, value));
}

/** The right side of `included_in`: a list, JSON text of one, or words with commas between. */
function asList(value: unknown): readonly unknown[] {
  const structure = readStructure(value);
  if (Array.isArray(structure)) return structure;
  if (typeof structure === 'string') return structure.split(',').map((item) => item.trim());
  return structure === undefined || structure === null ? [] : [structure];
}

function isScalar(value: unknown): boolean {
  return (
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    typeof value === 'bigint'
  );
}

/**
 * SQL's LIKE: `%` is any run, `_` one character. After a mismatch only the last `%` is tried again, so the
 * time is at most the product of both lengths, never exponential.
 */
function isLike(text: string, pattern: string): boolean {
  let [at, inPattern, retryText, retryPattern] = [0, 0, -1, -1];
  while (at < text.length) {
    const wanted = pattern[inPattern];
    if (wanted === '%') {
      retryPattern = inPattern += 1;
      retryText = at;
    } else if (wanted === '_' || (wanted !== undefined && wanted === text[at])) {
      at += 1;
      inPattern += 1;
    } else if (retryPattern !== -1) {
      retryText += 1;
      at = retryText;
      inPattern = retryPattern;
    } else {
      return false;
    }
  }
  while (pattern[inPattern] === '%') inPattern += 1;
  return inPattern === pattern.length;
}
