import type {
  Config,
  ConfigChange,
  ConfigField,
  Option,
  OptionValue,
  Rule,
  RuleGroup,
  WorkflowChange,
} from '../api/wire.ts';
import { t } from '../messages/messages.ts';

/** One row of a two-sided map while it is edited: either side may still be open. */
export interface MapRow {
  readonly lhs: OptionValue | undefined;
  readonly rhs: unknown;
}

/**
 * What the customer has on the screen, one entry a field. Numbers, dates and JSON are kept as the text typed,
 * so that nothing is lost while it is not valid yet.
 */
export type Draft = Readonly<Record<string, unknown>>;

/** Fields of several workflows stand on one page: the key names both. */
export function fieldKey(fieldId: string, workflowId?: string): string {
  return `${workflowId ?? ''}/${fieldId}`;
}

const enabledKey = (workflowId: string) => `enabled/${workflowId}`;

export function isEnabled(draft: Draft, workflowId: string): boolean {
  return draft[enabledKey(workflowId)] === true;
}

export function withEnabled(draft: Draft, workflowId: string, enabled: boolean): Draft {
  return { ...draft, [enabledKey(workflowId)]: enabled };
}

/** The draft that shows a config as the server has it. */
export function draftOf(config: Config): Draft {
  const draft: Record<string, unknown> = {};
  for (const field of config.fields) draft[fieldKey(field.id)] = toDraft(field);
  for (const workflow of config.workflows) {
    draft[enabledKey(workflow.id)] = workflow.enabled;
    for (const field of workflow.fields) draft[fieldKey(field.id, workflow.id)] = toDraft(field);
  }
  return draft;
}

export function isDirty(draft: Draft, saved: Draft): boolean {
  return Object.keys(draft).some((key) => !isSame(draft[key], saved[key]));
}

/** What a field's control works on. */
export type FieldKind =
  | 'text'
  | 'textarea'
  | 'number'
  | 'date'
  | 'email'
  | 'url'
  | 'password'
  | 'boolean'
  | 'json'
  | 'select'
  | 'map'
  | 'map_v2'
  | 'rule_engine';

/** The control for a wire type; types of the future that bring choices are chosen from, others are text. */
export function kindOf(field: ConfigField): FieldKind {
  switch (field.field_type) {
    case 'textarea':
    case 'number':
    case 'date':
    case 'email':
    case 'url':
    case 'password':
    case 'boolean':
    case 'json':
    case 'select':
    case 'map':
    case 'map_v2':
    case 'rule_engine':
      return field.field_type;
    case 'secret':
      return 'password';
    case 'multiselect':
      return 'select';
    default:
      if (field.mapping !== undefined) return 'map_v2';
      if ((field.labels ?? []).length > 0) return 'map';
      return (field.options ?? []).length > 0 ? 'select' : 'text';
  }
}

/** Several values may be chosen. */
export function isMany(field: ConfigField): boolean {
  return field.multiple === true || field.field_type === 'multiselect';
}

function toDraft(field: ConfigField): unknown {
  const value = field.value ?? field.defaultValue;
  switch (kindOf(field)) {
    case 'json':
      return value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value, null, 2);
    case 'boolean':
      return value === true || value === 'true';
    case 'select':
      return asList(value);
    case 'map':
      return isRecord(value) ? value : {};
    case 'map_v2':
      return isRecord(value) ? Object.entries(value).map(([lhs, rhs]): MapRow => ({ lhs, rhs })) : [];
    case 'rule_engine':
      return isRuleGroup(value) ? value : undefined;
    case 'password':
      // Stored secrets are never sent back; an empty line keeps them.
      return '';
    default:
      return value === undefined || value === null ? '' : asText(value);
  }
}

/** A field's value for the wire, or the sentence that says what is wrong; `null` clears. */
export type Reading = { readonly value: unknown } | { readonly problem: string };

/** Reads what is on the screen back into a value. */
export function readField(field: ConfigField, entry: unknown): Reading {
  const reading = parse(field, entry);
  const isStored = kindOf(field) === 'password' && field.value !== undefined;
  if ('value' in reading && field.required === true && isBlank(reading.value) && !isStored) {
    return { problem: t('field_required') };
  }
  return reading;
}

function parse(field: ConfigField, entry: unknown): Reading {
  const text = typeof entry === 'string' ? entry.trim() : '';
  switch (kindOf(field)) {
    case 'number': {
      if (text === '') return { value: null };
      const number = Number(text.replace(',', '.'));
      return Number.isFinite(number) ? { value: number } : { problem: t('field_number') };
    }
    case 'date':
      if (text === '') return { value: null };
      return Number.isNaN(Date.parse(text)) ? { problem: t('field_date') } : { value: text };
    case 'email':
      if (text === '') return { value: null };
      return /^[^\s@]+@[^\s@]+$/.test(text) ? { value: text } : { problem: t('field_email') };
    case 'url':
      if (text === '') return { value: null };
      return isWebAddress(text) ? { value: text } : { problem: t('field_url') };
    case 'json':
      if (text === '') return { value: null };
      try {
        return { value: JSON.parse(text) as unknown };
      } catch (error) {
        return { problem: t('field_json', { reason: error instanceof Error ? error.message : '' }) };
      }
    case 'boolean':
      return { value: entry === true };
    case 'select': {
      const chosen = asList(entry);
      return { value: isMany(field) ? chosen : (chosen[0] ?? null) };
    }
    case 'map':
      return { value: isRecord(entry) && Object.keys(entry).length > 0 ? entry : null };
    case 'map_v2':
      return parseRows((entry as readonly MapRow[] | undefined) ?? []);
    case 'rule_engine':
      return parseRules(entry as RuleGroup | undefined);
    default:
      // Text, long text and secrets: what was typed, spaces included.
      return { value: text === '' ? null : entry };
  }
}

function parseRows(rows: readonly MapRow[]): Reading {
  if (rows.length === 0) return { value: null };
  if (rows.some((row) => row.lhs === undefined || row.lhs === '' || isBlank(row.rhs))) {
    return { problem: t('field_map_row') };
  }
  return { value: Object.fromEntries(rows.map((row) => [String(row.lhs), row.rhs])) };
}

function parseRules(group: RuleGroup | undefined): Reading {
  if (group === undefined || group.conditions.length === 0) return { value: null };
  return isComplete(group) ? { value: group } : { problem: t('field_rule') };
}

function isComplete(condition: Rule | RuleGroup): boolean {
  if (isRuleGroup(condition))
    return condition.conditions.length > 0 && condition.conditions.every(isComplete);
  return !isBlank(condition.lhs) && !isBlank(condition.operator) && !isBlank(condition.rhs);
}

export interface CheckedDraft {
  readonly change: ConfigChange;
  /** By field key; nothing may be saved while one stands. */
  readonly problems: Readonly<Record<string, string>>;
}

/** Everything that differs from what is saved, and what is wrong in any field the customer can see. */
export function checkDraft(config: Config, draft: Draft, saved: Draft): CheckedDraft {
  const problems: Record<string, string> = {};
  const read = (fields: readonly ConfigField[], workflowId?: string) => {
    const changed: Record<string, unknown> = {};
    for (const field of fields) {
      if (field.hidden === true) continue;
      const key = fieldKey(field.id, workflowId);
      const reading = readField(field, draft[key]);
      if ('problem' in reading) problems[key] = reading.problem;
      else if (!isSame(draft[key], saved[key])) changed[field.id] = reading.value;
    }
    return changed;
  };
  const fields = read(config.fields);
  const workflows: WorkflowChange[] = [];
  for (const workflow of config.workflows) {
    const enabled = isEnabled(draft, workflow.id);
    // The fields of a workflow that is off are not on the screen.
    const changed = enabled ? read(workflow.fields, workflow.id) : {};
    const isToggled = enabled !== isEnabled(saved, workflow.id);
    if (isToggled || Object.keys(changed).length > 0) {
      workflows.push({ id: workflow.id, enabled, fields: changed });
    }
  }
  return { change: { fields, workflows }, problems };
}

/** The fields whose choices hang on this one, directly or through another. */
export function descendantsOf(fields: readonly ConfigField[], fieldId: string): readonly ConfigField[] {
  const found = new Set<ConfigField>();
  const visit = (id: string) => {
    for (const field of fields) {
      if (field.parent !== id || field.id === fieldId || found.has(field)) continue;
      found.add(field);
      visit(field.id);
    }
  };
  visit(fieldId);
  return [...found];
}

/** The untouched draft value of a field that has none. */
export function emptyDraft(field: ConfigField): unknown {
  const { value: _value, defaultValue: _default, ...bare } = field;
  return toDraft(bare);
}

/** Choices as the wire has them, or plain texts that are name and value at once; anything else is left out. */
export function choicesOf(options: readonly unknown[]): readonly Option[] {
  return options.flatMap((option): Option[] => {
    if (typeof option === 'string' || typeof option === 'number')
      return [{ name: String(option), value: option }];
    if (!isRecord(option)) return [];
    const value = option['value'] ?? option['name'];
    if (typeof value !== 'string' && typeof value !== 'number') return [];
    return [{ name: typeof option['name'] === 'string' ? option['name'] : String(value), value }];
  });
}

export function isRuleGroup(value: unknown): value is RuleGroup {
  return isRecord(value) && Array.isArray(value['conditions']);
}

export function isBlank(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '');
}

export function asList(value: unknown): readonly OptionValue[] {
  if (Array.isArray(value)) return value as OptionValue[];
  return typeof value === 'string' || typeof value === 'number' ? (value === '' ? [] : [value]) : [];
}

function asText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function isWebAddress(text: string): boolean {
  try {
    return ['https:', 'http:'].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}
