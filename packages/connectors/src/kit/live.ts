/** The other things the server asks of a connector: live lists, polls, webhook calls, the check, a description. */
import type { Choice } from '#kit/choice';
import type { Connector } from '#kit/connector';
import { InputError, InvalidParameter, MissingParameter } from '#kit/errors';
import type { Field, Fields } from '#kit/field';
import { parseInput } from '#kit/input';
import type { Values } from '#kit/json';
import type { Effect, HttpPort } from '#kit/request';
import { Caller, fieldsOf, findAction, MAX_ROWS, worstEffect } from '#kit/run';
import {
  durationMs,
  type Poll,
  type Trigger,
  type Webhook,
  type WebhookEvent,
  type WebhookRequest,
} from '#kit/trigger';
import { urlOf } from '#kit/url';

/**
 * What a live list offers now, sorted by name as people look for it.
 *
 * @throws InputError for an unknown list or a parent without a value; ProviderError when the provider refuses.
 */
export async function loadOptions(
  connector: Connector,
  name: string,
  params: Readonly<Record<string, unknown>>,
  http: HttpPort,
): Promise<Choice[]> {
  const list = Object.hasOwn(connector.options, name) ? connector.options[name] : undefined;
  if (list === undefined) {
    throw new InputError('unknown_options', name, `${connector.name} has no list named "${name}"`);
  }
  const wanted = Object.fromEntries(
    list.dependsOn.map((parent) => {
      const value = Object.hasOwn(params, parent) ? params[parent] : undefined;
      if (value === undefined || value === null || value === '') throw new MissingParameter(parent);
      if (typeof value !== 'string' && typeof value !== 'number')
        throw new InvalidParameter(parent, 'must be text');
      return [parent, String(value)];
    }),
  );
  const rows = await new Caller(connector, http).list(list.request(wanted), list.items, list.pages, MAX_ROWS);
  return rows
    .map((row) => list.option(row as never))
    .toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

export interface PollItem {
  readonly id: string;
  /** ISO 8601 in UTC. */
  readonly at: string;
  readonly data: unknown;
}

export interface PollResult {
  /** Oldest first; each id once. Those seen before must be dropped by the caller, within its transaction. */
  readonly items: readonly PollItem[];
  /** The cursor to store, in the same transaction as what the items started. */
  readonly cursor: string;
  /**
   * The provider had more than we read. The cursor is then the time of the last row where rows came oldest first, so
   * that the next poll goes on from there, and stays where it was where they did not.
   */
  readonly isTruncated: boolean;
}

function findTrigger<K extends Trigger['kind']>(
  connector: Connector,
  triggerId: string,
  kind: K,
): Extract<Trigger, { readonly kind: K }> {
  const found = Object.hasOwn(connector.triggers, triggerId) ? connector.triggers[triggerId] : undefined;
  if (found?.kind === kind) return found as Extract<Trigger, { readonly kind: K }>;
  throw new InputError(
    'unknown_trigger',
    triggerId,
    `${connector.name} has no ${kind} trigger "${triggerId}"`,
  );
}

/** A polling trigger by id. @throws InputError `unknown_trigger` */
export const findPoll = (connector: Connector, triggerId: string): Poll =>
  findTrigger(connector, triggerId, 'poll');

/** A webhook trigger by id. @throws InputError `unknown_trigger` */
export const findWebhook = (connector: Connector, triggerId: string): Webhook =>
  findTrigger(connector, triggerId, 'webhook');

/** How long the caller must remember ids: a row can come back for as long as the overlap, and one missed poll. */
export function rememberIdsForMs(trigger: Poll): number {
  return durationMs(trigger.overlap) + 2 * durationMs(trigger.every);
}

/**
 * Asks for what happened since the cursor. The window is `[since - overlap, until]`.
 *
 * @throws InputError for wrong parameters, ProviderError when the provider refuses.
 */
export async function pollTrigger(
  connector: Connector,
  triggerId: string,
  span: {
    readonly since: string;
    readonly until: string;
    readonly params?: Readonly<Record<string, unknown>>;
  },
  http: HttpPort,
): Promise<PollResult> {
  return runPoll(connector, findPoll(connector, triggerId), span, http);
}

/** The same for a polling trigger that the connector does not have, such as one of `customPoll`. @throws as `pollTrigger` */
export async function runPoll(
  connector: Connector,
  trigger: Poll,
  span: Parameters<typeof pollTrigger>[2],
  http: HttpPort,
): Promise<PollResult> {
  const input = parseInput(trigger.input, span.params ?? {});
  const since = new Date(new Date(span.since).getTime() - durationMs(trigger.overlap)).toISOString();
  const until = new Date(span.until).toISOString();
  const caller = new Caller(connector, http);
  const rows = await caller.list(
    trigger.list({ since, until }, input as never),
    trigger.items,
    trigger.pages,
    MAX_ROWS,
  );
  const byId = new Map<string, PollItem>();
  for (const row of rows as never[]) {
    const id = trigger.id(row);
    byId.set(id, { id, at: new Date(trigger.at(row)).toISOString(), data: trigger.output?.(row) ?? row });
  }
  const items = [...byId.values()];
  const start = new Date(span.since).toISOString();
  return {
    items: items.toSorted((a, b) => a.at.localeCompare(b.at)),
    cursor: caller.isTruncated ? resumeAt(items, start) : until,
    isTruncated: caller.isTruncated,
  };
}

function resumeAt(items: readonly PollItem[], start: string): string {
  const isAscending = items.every((item, i) => i === 0 || item.at >= items[i - 1]!.at);
  const last = items.at(-1)?.at ?? start;
  return isAscending && last > start ? last : start;
}

export type WebhookVerdict =
  | { readonly ok: true; readonly events: readonly WebhookEvent[] }
  | { readonly ok: false; readonly reason: string };

/** Judges an inbound call and, when it is genuine, says what happened. Never throws on what a stranger sent. */
export function verifyWebhook(
  connector: Connector,
  triggerId: string,
  request: WebhookRequest,
  secrets: Values,
  now: Date,
): WebhookVerdict {
  const trigger = findWebhook(connector, triggerId);
  try {
    const refused = trigger.verify(request, secrets, now);
    if (refused !== undefined) return { ok: false, reason: refused };
    return { ok: true, events: trigger.events(request) };
  } catch {
    return { ok: false, reason: 'The call could not be read' };
  }
}

/**
 * Makes the connector's check call with the credential behind the port.
 *
 * @throws ProviderError when the provider refuses the credential.
 */
export async function checkConnection(
  connector: Connector,
  http: HttpPort,
  place: { readonly meta: Values; readonly vars: Values },
): Promise<{ readonly identifier: string | undefined; readonly meta: Values }> {
  const { body } = await new Caller(connector, http).call(connector.check.request);
  return { identifier: connector.check.identifier(body, place), meta: connector.check.keep?.(body) ?? {} };
}

/** A field as data, for forms and schemas. `optionsName` names a live list, `dependsOn` its parents. */
export interface FieldDescription extends Pick<
  Field,
  'type' | 'label' | 'required' | 'help' | 'placeholder' | 'default'
> {
  readonly name: string;
  readonly choices?: readonly Choice[];
  readonly optionsName?: string;
  readonly dependsOn?: readonly string[];
}

/** Fields as a list, in the order they were written. */
export function describeFields(connector: Connector, fields: Fields): FieldDescription[] {
  return Object.entries(fields).map(([name, field]) => describeField(connector, name, field));
}

function describeField(connector: Connector, name: string, field: Field): FieldDescription {
  const { type, label, required, help, placeholder } = field;
  return {
    name,
    type,
    label,
    required,
    ...(help !== undefined && { help }),
    ...(placeholder !== undefined && { placeholder }),
    ...(field.default !== undefined && { default: field.default }),
    ...describeOptions(connector, field.options),
  };
}

function describeOptions(
  connector: Connector,
  options: Field['options'],
): Pick<FieldDescription, 'choices' | 'optionsName' | 'dependsOn'> {
  if (options === undefined) return {};
  if (!('kind' in options)) return { choices: options };
  const name = Object.entries(connector.options).find(([, list]) => list === options)?.[0];
  return { ...(name !== undefined && { optionsName: name }), dependsOn: options.dependsOn };
}

/** The fields of an action, `limit` included. @throws InputError `unknown_action` */
export function actionSchema(connector: Connector, actionId: string): FieldDescription[] {
  return describeFields(connector, fieldsOf(findAction(connector, actionId)));
}

/** Everything a catalogue shows, as plain data. `vars` are this installation's, for addresses that need them. */
export function describe(connector: Connector, vars: Values = {}): ConnectorDescription {
  const { oauth2, keybased } = connector.auth;
  return {
    slug: connector.slug,
    name: connector.name,
    description: connector.description,
    categories: connector.categories,
    apiDocs: docsUrl(connector, vars),
    vars: describeFields(connector, connector.vars),
    auth: {
      ...(oauth2 !== undefined && {
        oauth2: {
          before: describeFields(connector, oauth2.before),
          scopes: oauth2.scopes,
          consent: oauth2.consent,
        },
      }),
      ...(keybased !== undefined && { keybased: { fields: describeFields(connector, keybased.fields) } }),
    },
    actions: Object.entries(connector.actions).map(([id, action]) => ({
      id,
      label: action.label,
      group: action.group,
      effect: worstEffect(action),
      help: action.help,
      scopes: action.scopes,
    })),
    triggers: Object.entries(connector.triggers).map(([id, trigger]) => ({
      id,
      kind: trigger.kind,
      label: trigger.label,
      help: trigger.help,
      scopes: trigger.scopes,
    })),
    options: Object.keys(connector.options),
  };
}

function docsUrl(connector: Connector, vars: Values): string {
  try {
    return urlOf(connector.apiDocs, { meta: {}, vars });
  } catch (error) {
    if (error instanceof InputError) return '';
    throw error;
  }
}

interface Described {
  readonly id: string;
  readonly label: string;
  readonly help: string;
  readonly scopes: readonly string[];
}

export interface ConnectorDescription {
  readonly slug: string;
  readonly name: string;
  readonly description: string;
  readonly categories: readonly string[];
  /** Empty while a variable it needs is not set. */
  readonly apiDocs: string;
  readonly vars: readonly FieldDescription[];
  readonly auth: {
    readonly oauth2?: {
      readonly before: readonly FieldDescription[];
      readonly scopes: NonNullable<Connector['auth']['oauth2']>['scopes'];
      readonly consent: 'user' | 'admin';
    };
    readonly keybased?: { readonly fields: readonly FieldDescription[] };
  };
  readonly actions: readonly (Described & { readonly group: string; readonly effect: Effect })[];
  readonly triggers: readonly (Described & { readonly kind: Trigger['kind'] })[];
  readonly options: readonly string[];
}
