import { z } from 'zod';
import { concurrencySchema } from '#domain/concurrency';
import { customFieldsSchema } from '#domain/custom-fields';
import { AppError } from '#domain/errors';
import type { FieldProblem } from '#domain/errors';
import { isForbiddenName, isRecord } from '#domain/exact-json';

/**
 * The document of a workflow: what the builder draws, what a version freezes, what the engine walks.
 * Reading is tolerant to the spellings of the wire (`type`, `input_data`, `sourceHandle`, ...); what comes out
 * has one form.
 */

/** What starts a workflow. A start node without one is started by API call. */
export interface WorkflowTrigger {
  readonly kind: 'event' | 'app_event' | 'polling' | 'webhook' | 'schedule' | 'api_call';
  /** Name of the organisation's event when `kind` is `event`. */
  readonly event?: string | undefined;
  readonly [setting: string]: unknown;
}

export interface WorkflowNode {
  /** `"1"` is the start node; the number that templates use. */
  readonly id: string;
  readonly node_type: string;
  readonly name: string;
  readonly position?: { readonly x: number; readonly y: number } | undefined;
  /** The loop or try block that the node stands in. */
  readonly parent_id?: string | undefined;
  /** Settings, templates not yet filled in. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly [extra: string]: unknown;
}

export interface Edge {
  readonly id?: string | undefined;
  readonly source: string;
  readonly target: string;
  /** The port that the edge leaves by: `next`, `true` and `false` of a rule; `body`, `try`, `catch` lead into a container. */
  readonly source_handle?: string | undefined;
}

/** A result that stands in for running a node. */
export interface PinnedOutput {
  readonly output?: unknown;
  /** The edge that it leaves by; without one, by every edge. */
  readonly port?: string | undefined;
}

export interface WorkflowDocument {
  readonly nodes: readonly WorkflowNode[];
  readonly edges: readonly Edge[];
  readonly settings: Readonly<Record<string, unknown>>;
  readonly json_schema?: Readonly<Record<string, unknown>> | undefined;
  readonly manual_execution_payload?: unknown;
  /** Only of a test run, by node: the node does not run, this is its result. */
  readonly pinned_outputs?: Readonly<Record<string, PinnedOutput>> | undefined;
  /** Ids of removed nodes and their types: an id never comes back as another kind of node. */
  readonly retired_nodes: Readonly<Record<string, string>>;
}

export const startNodeId = '1';

const limits = { nodes: 500, edges: 2_000, documentBytes: 2_000_000, codeBytes: 262_144, name: 200 };

/** Other spellings of node types that documents may have. */
export const nodeTypeSynonyms: Readonly<Record<string, string>> = {
  trigger: 'start',
  code: 'custom_code',
  customcode: 'custom_code',
  action: 'app_action',
  app: 'app_action',
  application: 'app_action',
  custom_action: 'app_action',
  app_http_request: 'app_http',
  app_http_action: 'app_http',
  http_request: 'http',
  transformer: 'transform',
  jsonata: 'transform',
  group: 'loop',
  for_each: 'loop',
  foreach: 'loop',
  loop_group: 'loop',
  trycatch: 'try_catch',
  try: 'try_catch',
  switch_case: 'switch',
  case: 'switch',
  dead_letter_queue: 'recovery_queue',
  dlq: 'recovery_queue',
};

const text = z.union([z.string(), z.number()]).transform(String);
const record = z.record(z.string(), z.unknown());

const nodeSchema = z
  .looseObject({
    id: text.pipe(
      z
        .string()
        .regex(/^[A-Za-z0-9_-]{1,64}$/, 'use 1 to 64 letters, digits, - or _')
        // Ids become keys of the document (`retired_nodes`), and it may hold no such key.
        .refine((id) => !isForbiddenName(id), 'is a name that nothing may have; choose another'),
    ),
    node_type: z.string().optional(),
    type: z.string().optional(),
    name: z.string().max(limits.name).optional(),
    position: z.object({ x: z.number(), y: z.number() }).nullish(),
    parent_id: text.nullish(),
    parentId: text.nullish(),
    parent_node: text.nullish(),
    data: record.nullish(),
    input_data: record.nullish(),
  })
  .transform((raw, ctx): WorkflowNode => {
    const {
      type,
      node_type,
      input_data,
      data,
      position,
      parent_id,
      parentId,
      parent_node,
      incoming_nodes: _in,
      outgoing_nodes: _out,
      ...rest
    } = raw;
    const written = node_type ?? type;
    if (written === undefined) {
      ctx.addIssue({ code: 'custom', path: ['node_type'], message: 'required' });
      return z.NEVER;
    }
    const parent = parent_id ?? parentId ?? parent_node;
    const nodeType = Object.hasOwn(nodeTypeSynonyms, written)
      ? (nodeTypeSynonyms[written] ?? written)
      : written;
    return {
      ...rest,
      node_type: nodeType,
      name: raw.name ?? (nodeType === 'start' ? 'Start' : `${nodeType} ${raw.id}`),
      ...(position ? { position } : {}),
      ...(parent ? { parent_id: parent } : {}),
      data: data ?? input_data ?? {},
    };
  });

const edgeSchema = z
  .looseObject({
    id: text.nullish(),
    source: text.optional(),
    from: text.optional(),
    target: text.optional(),
    to: text.optional(),
    source_handle: text.nullish(),
    sourceHandle: text.nullish(),
  })
  .transform((raw, ctx): Edge => {
    const source = raw.source ?? raw.from;
    const target = raw.target ?? raw.to;
    if (source === undefined || target === undefined) {
      ctx.addIssue({ code: 'custom', message: 'an edge needs "source" and "target", the ids of two nodes' });
      return z.NEVER;
    }
    const handle = raw.source_handle ?? raw.sourceHandle;
    return {
      ...(raw.id ? { id: raw.id } : {}),
      source,
      target,
      ...(handle ? { source_handle: handle } : {}),
    };
  });

const documentSchema = z.object({
  nodes: z.array(nodeSchema).max(limits.nodes),
  edges: z.array(edgeSchema).max(limits.edges).default([]),
  settings: z
    .looseObject({ concurrency: concurrencySchema.nullish(), custom_fields: customFieldsSchema.nullish() })
    .nullish()
    .transform((settings): Record<string, unknown> => settings ?? {}),
  json_schema: record.nullish().transform((schema) => schema ?? undefined),
  manual_execution_payload: z.unknown().optional(),
  pinned_outputs: z
    .record(z.string(), z.object({ output: z.unknown(), port: z.string().optional() }))
    .optional(),
  retired_nodes: z.record(z.string(), z.string()).default({}),
});

/**
 * Reads a document from the wire or from the database into its one form.
 *
 * @throws AppError `workflow_invalid` naming each field that cannot be read, `forbidden_key`.
 */
export function readWorkflowDocument(raw: unknown): WorkflowDocument {
  refuseForbiddenKeys(raw, 0);
  const read = documentSchema.safeParse(raw);
  if (read.success) return read.data;
  throw new AppError('workflow_invalid', {
    problems: read.error.issues.map((issue) => ({
      path: issue.path.join('.') || 'workflow',
      message: issue.message,
    })),
  });
}

/** The document of a new workflow: one start node, started by API call until a trigger is chosen. */
export function emptyWorkflowDocument(): WorkflowDocument {
  return {
    nodes: [{ id: startNodeId, node_type: 'start', name: 'Start', data: {} }],
    edges: [],
    settings: {},
    retired_nodes: {},
  };
}

/** Remembers the nodes that an edit removed, so that their ids are not given to other nodes. */
export function retireNodes(before: WorkflowDocument, after: WorkflowDocument): WorkflowDocument {
  const kept = new Set(after.nodes.map((node) => node.id));
  const retired: Record<string, string> = { ...before.retired_nodes };
  for (const node of before.nodes) {
    if (!kept.has(node.id)) retired[node.id] = node.node_type;
  }
  return { ...after, retired_nodes: retired };
}

/** The one start node; a draft may lack it. */
export function startOf(document: WorkflowDocument): WorkflowNode | undefined {
  return document.nodes.find((node) => node.node_type === 'start');
}

/** What starts the workflow; the trigger stands in the start node's settings. */
export function triggerOf(document: WorkflowDocument): WorkflowTrigger {
  return triggersOf(startOf(document)?.data ?? {})[0] ?? { kind: 'api_call' };
}

const triggerKinds: Readonly<Record<string, WorkflowTrigger['kind']>> = {
  event: 'event',
  custom: 'event',
  org_event: 'event',
  app_event: 'app_event',
  polling: 'polling',
  webhook: 'webhook',
  schedule: 'schedule',
  cron: 'schedule',
  api_call: 'api_call',
  api: 'api_call',
};

/** The triggers of a start node: `{trigger: {kind|type, event}}`, `{triggers: [...]}`, or flat in the settings. */
export function triggersOf(data: Readonly<Record<string, unknown>>): WorkflowTrigger[] {
  const listed = data['triggers'] ?? data['trigger'];
  if (Array.isArray(listed)) return listed.flatMap((item) => (isRecord(item) ? readTrigger(item) : []));
  if (isRecord(listed)) return readTrigger(listed);
  if (typeof listed === 'string') return readTrigger({ ...data, kind: listed });
  const isFlat = ['trigger_type', 'kind', 'event', 'event_name'].some((key) => typeof data[key] === 'string');
  return isFlat ? readTrigger(data) : [];
}

function readTrigger(raw: Readonly<Record<string, unknown>>): WorkflowTrigger[] {
  const written = raw['kind'] ?? raw['type'] ?? raw['trigger_type'];
  const event = raw['event'] ?? raw['event_name'];
  const name = typeof event === 'string' && event !== '' ? event : undefined;
  const kind = typeof written === 'string' ? written.toLowerCase().replaceAll(/[\s-]/g, '_') : 'event';
  const known = Object.hasOwn(triggerKinds, kind) ? triggerKinds[kind] : undefined;
  if (known === undefined && typeof written !== 'string') return [];
  return [
    {
      ...raw,
      kind: known ?? (kind as WorkflowTrigger['kind']),
      ...(name === undefined ? {} : { event: name }),
    },
  ];
}

/** Whether a trigger's kind is one that exists. */
export function isTriggerKind(kind: string): boolean {
  return Object.values(triggerKinds).some((known) => known === kind);
}

function refuseForbiddenKeys(value: unknown, depth: number): void {
  if (depth > 100) {
    throw new AppError('workflow_invalid', {
      problems: [{ path: 'workflow', message: 'nested more than 100 levels deep' }],
    });
  }
  if (Array.isArray(value)) {
    for (const item of value) refuseForbiddenKeys(item, depth + 1);
  } else if (isRecord(value)) {
    for (const [key, item] of Object.entries(value)) {
      if (isForbiddenName(key)) throw new AppError('forbidden_key', { key });
      refuseForbiddenKeys(item, depth + 1);
    }
  }
}

/** Problems of size, found before anything else looks at the document. */
export function sizeProblems(document: WorkflowDocument): FieldProblem[] {
  const bytes = Buffer.byteLength(JSON.stringify(document));
  if (bytes <= limits.documentBytes) return [];
  return [{ path: 'workflow', message: `is ${bytes} bytes; at most ${limits.documentBytes} are accepted` }];
}

/** Longest source text of one code node. */
export const codeBytesLimit = limits.codeBytes;
