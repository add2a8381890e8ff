import { isDeepStrictEqual } from 'node:util';
import { isRecord } from '#domain/exact-json';
import { compileTemplate, pathsIn } from '#domain/template';
import { ownRoots } from '#domain/template/expression';
import { triggerOf, triggersOf } from '#domain/workflow-document';
import type { WorkflowDocument, WorkflowNode } from '#domain/workflow-document';

/** What nodes name by an id that means something in one environment only. */
export type ReferenceKind = 'function' | 'table' | 'queue' | 'polling_trigger' | 'workflow';

/** In a file a name stands for the id. */
const mark = '@name:';

export function markedName(value: string): string | undefined {
  return value.startsWith(mark) ? value.slice(mark.length) : undefined;
}

export function marked(name: string): string {
  return mark + name;
}

/** Visits every reference of a document; what `visit` gives takes its place. */
export function mapReferences(
  document: WorkflowDocument,
  visit: (kind: ReferenceKind, value: string) => string,
): WorkflowDocument {
  const change = (node: WorkflowNode): WorkflowNode => {
    const at = (kind: ReferenceKind, ...keys: string[]): WorkflowNode => ({
      ...node,
      data: withMembers(node.data, keys, (value) => visit(kind, value)),
    });
    switch (node.node_type) {
      case 'function':
        return at('function', 'function_id');
      case 'table':
        return at('table', 'table_id');
      case 'recovery_queue':
        return at('queue', 'queue');
      case 'sub_flow':
        return at('workflow', 'workflow', 'workflow_id');
      case 'transformation':
        return at('workflow', 'workflow');
      case 'agent':
        return { ...node, data: withTools(node.data, (value) => visit('workflow', value)) };
      case 'start':
        return { ...node, data: withTrigger(node.data, (value) => visit('polling_trigger', value)) };
      default:
        return node;
    }
  };
  return { ...document, nodes: document.nodes.map(change) };
}

function withMembers(
  data: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  change: (value: string) => string,
): Readonly<Record<string, unknown>> {
  const changed = keys.flatMap((key) => {
    const value = data[key];
    const isReference = typeof value === 'string' && value !== '' && !value.includes('{{');
    return isReference && !value.startsWith('builtin:') ? [[key, change(value)] as const] : [];
  });
  return changed.length === 0 ? data : { ...data, ...Object.fromEntries(changed) };
}

/** Workflows are tools of agents too. */
function withTools(
  data: Readonly<Record<string, unknown>>,
  change: (value: string) => string,
): Readonly<Record<string, unknown>> {
  const tools = toolsOf(data);
  const changed = tools.map((tool: unknown) =>
    isRecord(tool) ? withMembers(tool, ['workflow'], change) : tool,
  );
  return isDeepStrictEqual(changed, tools) ? data : { ...data, tools: changed };
}

/** Tools may be written as JSON text. */
function toolsOf({ tools }: Readonly<Record<string, unknown>>): readonly unknown[] {
  if (Array.isArray(tools)) return tools;
  if (typeof tools !== 'string') return [];
  try {
    const read: unknown = JSON.parse(tools);
    return Array.isArray(read) ? read : [];
  } catch {
    return [];
  }
}

/** A trigger stands in `trigger`, `triggers`, or flat in the settings of the start node. */
function withTrigger(
  data: Readonly<Record<string, unknown>>,
  change: (value: string) => string,
): Readonly<Record<string, unknown>> {
  const one = (trigger: Readonly<Record<string, unknown>>) =>
    withMembers(trigger, ['polling_trigger_id'], change);
  if (triggersOf(data).length === 0) return data;
  const key = 'triggers' in data ? 'triggers' : 'trigger';
  const listed = data[key];
  if (Array.isArray(listed)) {
    return { ...data, [key]: listed.map((item: unknown) => (isRecord(item) ? one(item) : item)) };
  }
  return isRecord(listed) ? { ...data, [key]: one(listed) } : one(data);
}

/** Every value of a kind, once, in the order of the nodes. */
export function referencesOf(document: WorkflowDocument): Record<ReferenceKind, string[]> {
  const found: Record<ReferenceKind, Set<string>> = {
    function: new Set(),
    table: new Set(),
    queue: new Set(),
    polling_trigger: new Set(),
    workflow: new Set(),
  };
  mapReferences(document, (kind, value) => {
    found[kind].add(value);
    return value;
  });
  return {
    function: [...found.function],
    table: [...found.table],
    queue: [...found.queue],
    polling_trigger: [...found.polling_trigger],
    workflow: [...found.workflow],
  };
}

/** What a document names by name wherever it stands. */
export interface NamedNeeds {
  readonly apps: string[];
  readonly events: string[];
  readonly modelProviders: string[];
  /** Tables that it reads or writes by name and does not make itself. */
  readonly tables: string[];
  /** Variables that it names as such: `{{env.linked_account.NAME}}`. */
  readonly variables: string[];
  /** Names that may be variables: `{{NAME}}`. */
  readonly bareNames: string[];
}

export function namedNeeds(appSlug: string | null, document: WorkflowDocument): NamedNeeds {
  const trigger = triggerOf(document);
  const appOf = (data: Readonly<Record<string, unknown>>): unknown => data['app'] ?? data['slug'];
  const apps = [
    appSlug,
    ...(['app_event', 'polling'].includes(trigger.kind) ? [appOf(trigger)] : []),
    ...document.nodes.flatMap(({ node_type, data }) =>
      node_type === 'app_action' || node_type === 'app_http' ? [appOf(data)] : [],
    ),
    ...document.nodes.flatMap(({ node_type, data }) =>
      node_type === 'agent' ? toolsOf(data).map((tool) => (isRecord(tool) ? tool['app'] : undefined)) : [],
    ),
  ];
  const tableNodes = document.nodes.filter(
    ({ node_type, data }) => node_type === 'table' && data['persistent'] !== false,
  );
  const made = tableNodes
    .filter(({ data }) => data['action'] === 'create_table')
    .map(({ data }) => data['table_name']);
  const paths = document.nodes.flatMap(({ data }) => pathsOf(data));
  return {
    apps: literals(apps),
    events: trigger.kind === 'event' ? literals([trigger.event]) : [],
    modelProviders: literals(
      document.nodes.flatMap(({ node_type, data }) =>
        node_type === 'agent' ? [data['provider'] ?? 'openai'] : [],
      ),
    ),
    tables: literals(tableNodes.map(({ data }) => data['table_name']).filter((name) => !made.includes(name))),
    variables: literals(paths.flatMap(({ root, segments }) => (root === 'env' ? [segments[1]] : []))),
    bareNames: literals(paths.flatMap(({ root }) => (ownRoots.has(root) ? [] : [root]))),
  };
}

function pathsOf(data: Readonly<Record<string, unknown>>) {
  try {
    return pathsIn(compileTemplate(data));
  } catch {
    return []; // a template that cannot be read is told when the draft is checked
  }
}

/** Texts that are no templates, once each, in order. */
function literals(values: readonly unknown[]): string[] {
  const texts = values.filter((value): value is string => typeof value === 'string' && value !== '');
  return [...new Set(texts.filter((text) => !text.includes('{{')))].toSorted();
}
