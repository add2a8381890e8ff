import { createHash } from 'node:crypto';
import type { FieldProblem } from '#domain/errors';
import { isRecord } from '#domain/exact-json';
import { evaluateRule, readRule, ruleProblems } from '#domain/rules';
import { asText, compileTemplate, render, type CompiledTemplate } from '#domain/template';
import { triggerOf, type WorkflowDocument } from '#domain/workflow-document';

/**
 * What stands between something that comes in and an execution (spec/workflows §5, §14): the trigger's conditions,
 * and the key that makes repeats of the same thing one. Both are decided before an execution exists.
 */
export interface TriggerGuard {
  readonly conditions: CompiledTemplate | undefined;
  readonly dedup: DedupRule | undefined;
  /** The same for executions that are started by an API call: `settings.dedup_key`. */
  readonly callDedup: DedupRule | undefined;
}

export interface DedupRule {
  /** Text with `{event:<path>}` and `{header:<name>}` in it. */
  readonly key: string;
  readonly windowS: number;
}

/** What came in, as conditions and keys see it. */
export interface Arrival {
  readonly payload: unknown;
  /** As they were received, names in lower case; nothing of them is stored here. */
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  readonly eventName?: string | undefined;
  readonly accountId: string;
  readonly configId: string;
  readonly workflowId: string;
}

/** A key that stands for an arrival, or the part of it that the arrival lacks. */
export type DedupKey =
  { readonly key: string; readonly windowS: number } | { readonly missing: string; readonly windowS: number };

const defaultWindowS = 300;
const longestWindowS = 7 * 24 * 3600;
const longestKey = 200;

/** Reads a document that was checked by {@link guardProblems} when it was saved. */
export function readTriggerGuard(document: WorkflowDocument): TriggerGuard {
  const trigger = triggerOf(document);
  return {
    ...readTriggerConditions(trigger),
    dedup: readDedup(trigger['idempotency'], trigger['idempotency_key'], trigger['idempotency_window']),
    callDedup: readDedup(
      undefined,
      document.settings['dedup_key'],
      document.settings['dedup_window_seconds'],
    ),
  };
}

/** The conditions of a trigger that is at hand without its document: a poll's, a schedule's. */
export function readTriggerConditions(
  trigger: Readonly<Record<string, unknown>>,
): Pick<TriggerGuard, 'conditions'> {
  const conditions = trigger['conditions'];
  return { conditions: isEmptyRule(conditions) ? undefined : compileTemplate(conditions) };
}

/** Whether the trigger's conditions let an arrival through; a trigger without any lets everything through. */
export function passesConditions(guard: Pick<TriggerGuard, 'conditions'>, arrival: Arrival): boolean {
  if (guard.conditions === undefined) return true;
  const event =
    isRecord(arrival.payload) && arrival.headers !== undefined
      ? { headers: arrival.headers, ...arrival.payload }
      : arrival.payload;
  const scope = {
    values: {
      event,
      linked_account: { id: arrival.accountId },
      instance_meta_data: {
        event_name: arrival.eventName ?? null,
        config_id: arrival.configId,
        workflow_id: arrival.workflowId,
      },
    },
    node: () => undefined,
    nodeIdOf: () => undefined,
  };
  return evaluateRule(readRule(render(guard.conditions, scope, { missing: 'omit' }))).result;
}

/** The key of an arrival by a rule; undefined without a rule. */
export function dedupKeyOf(
  rule: DedupRule | undefined,
  arrival: Pick<Arrival, 'payload' | 'headers'>,
): DedupKey | undefined {
  if (rule === undefined) return undefined;
  let missing: string | undefined;
  const text = rule.key.replaceAll(keyToken, (token, place: string, path: string) => {
    const found = place.startsWith('header')
      ? arrival.headers?.[path.toLowerCase()]
      : valueAt(arrival.payload, path);
    const value = found === undefined || found === null ? '' : asText(found);
    if (value === '') missing ??= token;
    return value;
  });
  if (missing !== undefined) return { missing, windowS: rule.windowS };
  const key = text.length <= longestKey ? text : createHash('sha256').update(text).digest('hex');
  return { key, windowS: rule.windowS };
}

/** What keeps a trigger's conditions and keys from being used, each with its field. */
export function guardProblems(document: WorkflowDocument): FieldProblem[] {
  const start = document.nodes.findIndex((node) => node.node_type === 'start');
  const at = `nodes[${start}].data.trigger`;
  const trigger = triggerOf(document);
  return [
    ...(isEmptyRule(trigger['conditions']) ? [] : ruleProblems(trigger['conditions'], `${at}.conditions`)),
    ...dedupProblems(
      trigger['idempotency'],
      trigger['idempotency_key'],
      trigger['idempotency_window'],
      `${at}.idempotency`,
    ),
    ...dedupProblems(
      undefined,
      document.settings['dedup_key'],
      document.settings['dedup_window_seconds'],
      'settings.dedup_key',
    ),
  ];
}

/** `{event:a.b}` and `{header:x}`, and the same as templates write it. */
const keyToken = /\{\{?\s*(event|headers?)\s*[:.]\s*([^{}\s]{1,200})\s*\}?\}/g;

function valueAt(root: unknown, path: string): unknown {
  let value = root;
  for (const part of path.replaceAll(/\[(\d+)\]/g, '.$1').split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

function isEmptyRule(raw: unknown): boolean {
  if (raw === undefined || raw === null) return true;
  const list = isRecord(raw) ? raw['conditions'] : raw;
  return list === undefined || (Array.isArray(list) && list.length === 0);
}

/** `idempotency: {key, window_seconds}` or `{source: header|payload, name|path}`; or a key alone. */
function readDedup(settings: unknown, flatKey: unknown, flatWindow: unknown): DedupRule | undefined {
  const given = isRecord(settings) ? settings : {};
  if (given['enabled'] === false) return undefined;
  const key = keyTextOf(given) ?? flatKey;
  if (typeof key !== 'string' || key.trim() === '') return undefined;
  const minutes = Number(given['window_minutes']);
  const window = Number(given['window_seconds'] ?? (minutes > 0 ? minutes * 60 : flatWindow));
  const isUsable = Number.isFinite(window) && window > 0;
  return { key, windowS: isUsable ? Math.min(Math.ceil(window), longestWindowS) : defaultWindowS };
}

function keyTextOf(given: Readonly<Record<string, unknown>>): unknown {
  const path = given['path'] ?? given['name'];
  if (typeof given['source'] !== 'string' || typeof path !== 'string') return given['key'];
  return given['source'] === 'header' ? `{header:${path}}` : `{event:${path}}`;
}

function dedupProblems(settings: unknown, flatKey: unknown, window: unknown, path: string): FieldProblem[] {
  if (settings !== undefined && settings !== null && !isRecord(settings)) {
    return [{ path, message: 'is no object; write {"key": "{event:order.id}", "window_seconds": 300}' }];
  }
  if (
    isRecord(settings) &&
    settings['enabled'] === true &&
    readDedup(settings, flatKey, window) === undefined
  ) {
    return [{ path: `${path}.key`, message: 'is missing; write {event:<path>} or {header:<name>}' }];
  }
  const rule = readDedup(settings, flatKey, window);
  if (rule === undefined || rule.key.search(keyToken) !== -1) return [];
  return [
    {
      path,
      message: `the key "${rule.key}" names no value of what comes in, so everything would be a repeat of the first; write {event:<path>} or {header:<name>}`,
    },
  ];
}
