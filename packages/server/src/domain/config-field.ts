import { isForbiddenName, isRecord, parseExactJson } from '#domain/exact-json';
import { ruleOperators } from '#domain/rules';

/** Fields that a customer fills in (spec/connect §12.3): their types, and what a value must be. */
export const configFieldTypes = [
  'text',
  'textarea',
  'number',
  'date',
  'email',
  'url',
  'select',
  'json',
  'map',
  'map_v2',
  'rule_engine',
] as const;

export interface FieldOption {
  readonly name: string;
  readonly value: string | number;
}

/** What the check of a value needs to know about its field. */
export interface FieldRules {
  readonly fieldType: string;
  readonly isMultiple: boolean;
  /** The choices, when they are known without asking anybody. */
  readonly options?: readonly FieldOption[] | undefined;
  /** Left sides of a map, when they are known. */
  readonly labels?: readonly FieldOption[] | undefined;
}

export type CheckedValue =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string };

/** Whether a value counts as not given. */
export function isBlank(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value === 'string') return value.trim() === '';
  return Array.isArray(value) && value.length === 0;
}

/** Checks a value and gives it its stored form: numeric text becomes a number, JSON text its value. */
export function checkFieldValue(rules: FieldRules, value: unknown): CheckedValue {
  switch (rules.fieldType) {
    case 'number':
      return checkNumber(value);
    case 'date':
      return checkText(value, isDate, 'is not a date: write it as YYYY-MM-DD');
    case 'email':
      return checkText(
        value,
        (text) => /^[^\s@]{1,64}@[^\s@.]+(\.[^\s@.]+)+$/.test(text),
        'is not an e-mail address',
      );
    case 'url':
      return checkText(value, isUrl, 'is not an address: begin it with https:// or http://');
    case 'select':
      return rules.isMultiple ? checkChoices(rules, value) : checkChoice(rules, value);
    case 'json':
      return checkJson(value);
    case 'map':
    case 'map_v2':
      return checkMap(rules, value);
    case 'rule_engine':
      return checkRuleGroup(value, 0);
    default:
      return checkText(value, () => true, '');
  }
}

const good = (value: unknown): CheckedValue => ({ ok: true, value });
const bad = (message: string): CheckedValue => ({ ok: false, message });

function checkText(value: unknown, isGood: (text: string) => boolean, message: string): CheckedValue {
  if (typeof value === 'number' || typeof value === 'boolean')
    return checkText(String(value), isGood, message);
  if (typeof value !== 'string') return bad('is not a text');
  if (value.length > 100_000) return bad('is longer than 100000 characters');
  return isGood(value) ? good(value) : bad(message);
}

function checkNumber(value: unknown): CheckedValue {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? good(number) : bad('is not a number');
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}

function isUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

/** A form sends every choice as text: the option's own value, with its type, is what is kept. */
function checkChoice(rules: FieldRules, value: unknown): CheckedValue {
  if (typeof value !== 'string' && typeof value !== 'number') return bad('is not one choice');
  if (rules.options === undefined) return good(value);
  const option = rules.options.find((candidate) => String(candidate.value) === String(value));
  return option === undefined
    ? bad(`"${String(value).slice(0, 100)}" is not among the choices`)
    : good(option.value);
}

function checkChoices(rules: FieldRules, value: unknown): CheckedValue {
  const checked = (Array.isArray(value) ? value : [value]).map((item) => checkChoice(rules, item));
  const fault = checked.find((item) => !item.ok);
  return fault ?? good(checked.map((item) => (item.ok ? item.value : undefined)));
}

function checkJson(value: unknown): CheckedValue {
  if (typeof value !== 'string') return good(value);
  try {
    return good(parseExactJson(value));
  } catch {
    return bad('is not valid JSON');
  }
}

function checkMap(rules: FieldRules, value: unknown): CheckedValue {
  if (!isRecord(value)) return bad('is not a map of pairs');
  for (const [key, item] of Object.entries(value)) {
    if (isForbiddenName(key)) return bad(`"${key}" is not accepted as a key`);
    if (rules.labels !== undefined && !rules.labels.some((label) => String(label.value) === key)) {
      return bad(`"${key.slice(0, 100)}" is not among the left sides`);
    }
    const items = Array.isArray(item) ? item : [item];
    if (!items.every((one) => one === null || ['string', 'number', 'boolean'].includes(typeof one))) {
      return bad(`the right side of "${key.slice(0, 100)}" is neither a value nor a list of values`);
    }
  }
  return good(value);
}

/** `{logic, conditions}` all the way down; a fresh field of the portal sends an empty group. */
function checkRuleGroup(value: unknown, depth: number): CheckedValue {
  if (depth > 10) return bad('is nested more than 10 levels deep');
  if (!isRecord(value) || !Array.isArray(value['conditions'])) return bad('is not a group of rules');
  if (value['logic'] !== 'AND' && value['logic'] !== 'OR') return bad('"logic" is neither AND nor OR');
  for (const member of value['conditions'] as unknown[]) {
    if (!isRecord(member)) return bad('holds a rule that is not an object');
    if ('conditions' in member) {
      const inner = checkRuleGroup(member, depth + 1);
      if (!inner.ok) return inner;
    } else if (typeof member['operator'] === 'string' && !ruleOperators.includes(member['operator'])) {
      return bad(`"${member['operator'].slice(0, 40)}" is not an operator`);
    }
  }
  return good(value);
}
