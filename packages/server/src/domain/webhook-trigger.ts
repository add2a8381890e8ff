import type { FieldProblem } from '#domain/errors';
import { isRecord } from '#domain/exact-json';
import type { WorkflowDocument, WorkflowNode, WorkflowTrigger } from '#domain/workflow-document';
import { triggerOf, triggersOf } from '#domain/workflow-document';

/** How a caller of an inbound webhook URL proves who it is. The secret itself is sealed, under `secretId`. */
export type WebhookAuth =
  | { readonly type: 'none' }
  | {
      readonly type: 'hmac';
      readonly header: string;
      readonly encoding: 'hex' | 'base64';
      /** What stands before the signature in the header, such as `sha256=`. */
      readonly prefix: string;
      readonly secretId: string;
    }
  | { readonly type: 'token'; readonly header: string; readonly secretId: string };

/** Settings of a trigger of kind `webhook` (spec/workflows §5). */
export interface WebhookTrigger {
  readonly auth: WebhookAuth;
  /** Whether payloads must fit the workflow's JSON Schema. */
  readonly isValidated: boolean;
}

/** A secret that was written into a document, taken out of it. */
export interface TakenSecret {
  readonly id: string;
  readonly plain: string;
}

/** A header name by RFC 9110 §5.1. */
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;
const longestSecret = 4_096;

/** Reads a trigger that {@link webhookProblems} found nothing wrong with. */
export function readWebhookTrigger(trigger: WorkflowTrigger): WebhookTrigger {
  const isValidated = (trigger['validate'] ?? trigger['validate_payload']) === true;
  return { auth: readAuth(trigger['auth']), isValidated };
}

function readAuth(raw: unknown): WebhookAuth {
  if (!isRecord(raw)) return { type: 'none' };
  const header = text(raw['header']).toLowerCase();
  const secretId = text(raw['secret_id']);
  const type = text(raw['type']).toLowerCase();
  if (type === 'token') return { type, header, secretId };
  if (type !== 'hmac') return { type: 'none' };
  const encoding = text(raw['encoding']).toLowerCase() === 'base64' ? 'base64' : 'hex';
  return { type, header, encoding, prefix: text(raw['prefix']), secretId };
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/**
 * What is wrong with a webhook trigger's settings, each with its field.
 *
 * @param purpose - a draft may still lack its secret
 */
export function webhookProblems(document: WorkflowDocument, purpose: 'draft' | 'publish'): FieldProblem[] {
  const trigger = triggerOf(document);
  if (trigger.kind !== 'webhook') return [];
  const start = document.nodes.findIndex((node) => node.node_type === 'start');
  const at = `nodes[${start}].data.trigger`;
  const raw = trigger['auth'];
  const problems: FieldProblem[] = [];
  const validate = trigger['validate'] ?? trigger['validate_payload'];
  if (validate !== undefined && validate !== null && typeof validate !== 'boolean') {
    problems.push({ path: `${at}.validate`, message: 'is neither true nor false' });
  }
  if (validate === true && document.json_schema === undefined && purpose === 'publish') {
    problems.push({
      path: 'json_schema',
      message: 'is missing, but the webhook is to validate payloads by it',
    });
  }
  if (raw === undefined || raw === null) return problems;
  if (!isRecord(raw)) return [...problems, { path: `${at}.auth`, message: 'is no object' }];
  const type = text(raw['type']).toLowerCase();
  if (!['none', 'hmac', 'token'].includes(type)) {
    return [...problems, { path: `${at}.auth.type`, message: 'is none of none, hmac and token' }];
  }
  if (type === 'none') return problems;
  if (!headerName.test(text(raw['header']))) {
    problems.push({
      path: `${at}.auth.header`,
      message: 'is not the name of a header; the caller sends its signature or token in it',
    });
  }
  const encoding = raw['encoding'];
  if (type === 'hmac' && encoding !== undefined && encoding !== 'hex' && encoding !== 'base64') {
    problems.push({ path: `${at}.auth.encoding`, message: 'is neither hex nor base64' });
  }
  if (purpose === 'publish' && text(raw['secret_id']) === '') {
    problems.push({
      path: `${at}.auth.secret`,
      message: 'is missing: callers could not be told from others',
    });
  }
  return problems;
}

/**
 * Takes the secrets that were just written out of a document: it keeps their id only, so that no reader, version or
 * export ever shows one. A trigger that is saved again without secret and without id keeps the one it had.
 */
export function takeTriggerSecrets(
  before: WorkflowDocument | undefined,
  after: WorkflowDocument,
  makeId: () => string,
): { document: WorkflowDocument; secrets: readonly TakenSecret[] } {
  const secrets: TakenSecret[] = [];
  const earlier = before === undefined ? { kind: 'api_call' as const } : triggerOf(before);
  const take = (trigger: Readonly<Record<string, unknown>>): Record<string, unknown> => {
    const { auth } = trigger;
    if (!isRecord(auth)) return { ...trigger };
    const { secret, ...rest } = auth;
    if (typeof secret === 'string' && secret !== '' && secret !== redacted) {
      const id = makeId();
      secrets.push({ id, plain: secret.slice(0, longestSecret) });
      return { ...trigger, auth: { ...rest, secret_id: id } };
    }
    if (rest['secret_id'] !== undefined || !isRecord(earlier['auth'])) return { ...trigger, auth: rest };
    const kept = earlier['auth']['secret_id'];
    const isSameKind = earlier['auth']['type'] === rest['type'];
    return { ...trigger, auth: { ...rest, ...(isSameKind && kept !== undefined && { secret_id: kept }) } };
  };
  const nodes = after.nodes.map((node) => (node.node_type === 'start' ? withTriggers(node, take) : node));
  return { document: { ...after, nodes }, secrets };
}

/** The document without the name of its trigger's secret, and the path at which one is to be given again. */
export function withoutTriggerSecret(document: WorkflowDocument): {
  document: WorkflowDocument;
  path: string | undefined;
} {
  let path: string | undefined;
  const nodes = document.nodes.map((node) =>
    node.node_type !== 'start'
      ? node
      : withTriggers(node, (trigger) => {
          const { auth } = trigger;
          if (!isRecord(auth) || auth['type'] === 'none') return { ...trigger };
          const { secret: _plain, secret_id: _id, ...rest } = auth;
          path = `nodes.${node.id}.data.trigger.auth.secret`;
          return { ...trigger, auth: rest };
        }),
  );
  return { document: { ...document, nodes }, path };
}

const redacted = '[REDACTED]';

/** Rewrites the trigger of a start node wherever the wire lets it stand: see `triggersOf`. */
function withTriggers(
  node: WorkflowNode,
  change: (trigger: Readonly<Record<string, unknown>>) => Record<string, unknown>,
): WorkflowNode {
  const { data } = node;
  if (triggersOf(data).length === 0) return node;
  const key = 'triggers' in data ? 'triggers' : 'trigger';
  const listed = data[key];
  if (Array.isArray(listed)) {
    const changed = listed.map((item: unknown) => (isRecord(item) ? change(item) : item));
    return { ...node, data: { ...data, [key]: changed } };
  }
  if (isRecord(listed)) return { ...node, data: { ...data, [key]: change(listed) } };
  return { ...node, data: change(data) };
}
