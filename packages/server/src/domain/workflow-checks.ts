import type { z } from 'zod';
import {
  allEdges,
  borderProblem,
  called,
  containerProblems,
  mayRead,
  regionProblems,
} from '#domain/container-checks';
import type { FieldProblem } from '#domain/errors';
import { AppError } from '#domain/errors';
import { literalSettingProblems } from '#domain/literal-settings';
import { customOutputProblems } from '#domain/node-output';
import { schemaCompiler } from '#domain/json-schema';
import { ruleProblems } from '#domain/rules';
import { ownRoots, cutTemplates } from '#domain/template/expression';
import { compileTemplate, pathsIn, templateProblems } from '#domain/template';
import { guardProblems } from '#domain/trigger-guard';
import { codeBytesLimit, isTriggerKind, sizeProblems, triggersOf } from '#domain/workflow-document';
import type { Edge, WorkflowDocument, WorkflowNode } from '#domain/workflow-document';

/** What the checks need to know about a node type; the engine's registry has it. */
export interface NodeTypeFacts {
  readonly fields: Readonly<
    Record<string, { readonly label: string; readonly required?: boolean; readonly type?: string }>
  >;
  /** What checks the settings when the node runs. */
  readonly settings?: z.ZodType;
  /** Settings that hold source text and are never templated. */
  readonly literal?: readonly string[];
  readonly ports: (settings: Readonly<Record<string, unknown>>) => readonly string[];
  /** Ports of a container that lead to the nodes inside it. */
  readonly container?: readonly string[];
  /** Settings of a container that are templated inside it. */
  readonly inside?: readonly string[];
  /** Ports by which the settings themselves lead to a node. */
  readonly portsTo?: (settings: Readonly<Record<string, unknown>>, target: string) => readonly string[];
  /** What is wrong with where the node stands; `around` are the types of the containers, innermost first. */
  readonly placeProblem?: (
    settings: Readonly<Record<string, unknown>>,
    around: readonly string[],
  ) => string | undefined;
}

export type NodeTypes = ReadonlyMap<string, NodeTypeFacts>;

/**
 * Everything that keeps a workflow from being saved, or with `publish` from going live: a draft may still have
 * unconnected nodes and empty settings. Each problem names the node that it is about.
 */
export function validateWorkflow(
  document: WorkflowDocument,
  nodeTypes: NodeTypes,
  purpose: 'draft' | 'publish' = 'publish',
): FieldProblem[] {
  const structure = [
    ...sizeProblems(document),
    ...schemaProblems(document),
    ...idProblems(document),
    ...startProblems(document),
    ...guardProblems(document),
    ...document.nodes.flatMap((node, index) => nodeProblems(node, index, nodeTypes)),
    ...document.nodes.flatMap(outputProblems),
    ...containerProblems(document, nodeTypes),
    ...edgeProblems(document, nodeTypes),
  ];
  // A graph whose ids or edges are wrong cannot be walked sensibly.
  if (structure.length > 0) return structure;
  const walk = cycleProblems(document);
  if (walk.length > 0 || purpose === 'draft') return walk;
  return [
    ...reachProblems(document, nodeTypes),
    ...regionProblems(document, nodeTypes),
    ...document.nodes.flatMap((node, i) => publishProblems(node, i, document, nodeTypes)),
  ];
}

function schemaProblems({ json_schema: schema }: WorkflowDocument): FieldProblem[] {
  if (schema === undefined) return [];
  try {
    schemaCompiler()(schema);
    return [];
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it does not compile';
    return [{ path: 'json_schema', message: `is no JSON Schema that can be used: ${reason}` }];
  }
}

function idProblems(document: WorkflowDocument): FieldProblem[] {
  const seen = new Set<string>();
  return document.nodes.flatMap((node, index) => {
    const path = `nodes[${index}].id`;
    const retired = Object.hasOwn(document.retired_nodes, node.id)
      ? document.retired_nodes[node.id]
      : undefined;
    if (seen.has(node.id))
      return [{ path, message: `${called(node)} has an id that another node has already` }];
    seen.add(node.id);
    if (retired === undefined || retired === node.node_type) return [];
    return [
      {
        path,
        message: `${called(node)} takes the id of a ${retired} node that was removed; give it a new id`,
      },
    ];
  });
}

function startProblems(document: WorkflowDocument): FieldProblem[] {
  const starts = document.nodes.filter((node) => node.node_type === 'start');
  const [start] = starts;
  if (start === undefined)
    return [{ path: 'nodes', message: 'there is no start node; every workflow has exactly one' }];
  if (starts.length > 1) {
    return [
      {
        path: 'nodes',
        message: `there are ${starts.length} start nodes (${starts.map(called).join(', ')}); keep one`,
      },
    ];
  }
  const path = `nodes[${document.nodes.indexOf(start)}].data.trigger`;
  const triggers = triggersOf(start.data);
  if (triggers.length > 1)
    return [{ path, message: `${called(start)} has ${triggers.length} triggers; keep one` }];
  const [trigger] = triggers;
  if (trigger === undefined) return [];
  if (!isTriggerKind(trigger.kind)) {
    return [
      {
        path,
        message: `${called(start)}: "${trigger.kind}" is not a trigger; use event, api_call, schedule, webhook, polling or app_event`,
      },
    ];
  }
  if (trigger.kind === 'event' && trigger.event === undefined) {
    return [{ path, message: `${called(start)} is started by an event, but names none; set "event"` }];
  }
  return [];
}

function nodeProblems(node: WorkflowNode, index: number, nodeTypes: NodeTypes): FieldProblem[] {
  const facts = nodeTypes.get(node.node_type);
  if (facts === undefined) {
    const known = [...nodeTypes.keys()].join(', ');
    return [
      {
        path: `nodes[${index}].node_type`,
        message: `${called(node)}: "${node.node_type}" is not a node type; use one of ${known}`,
      },
    ];
  }
  const literal = new Set(facts.literal ?? []);
  return Object.entries(node.data).flatMap(([field, value]) => {
    const path = `nodes[${index}].data.${field}`;
    const problems = literal.has(field) ? sourceProblems(value, path) : templateProblems(value, path);
    return problems.map((problem) => ({
      path: problem.path,
      message: `${called(node)}: ${problem.message}`,
    }));
  });
}

function outputProblems(node: WorkflowNode, index: number): FieldProblem[] {
  const at = `nodes[${index}].data.custom_output`;
  return customOutputProblems(node['custom_output'] ?? node.data['custom_output']).map(
    ({ path, message }) => ({
      path: path === '' ? at : `${at}.${path}`,
      message: `${called(node)}: ${message}`,
    }),
  );
}

/** Source text takes no templates: data spliced into code is code (spec/workflows §10.7). */
function sourceProblems(value: unknown, path: string): FieldProblem[] {
  if (typeof value !== 'string') return [];
  if (Buffer.byteLength(value) > codeBytesLimit) {
    return [{ path, message: `is longer than ${codeBytesLimit} bytes` }];
  }
  const template = cutTemplates(value).find(
    (piece) =>
      piece.kind === 'template' &&
      piece.expression.operands.some((operand) => operand.kind === 'path' && ownRoots.has(operand.root)),
  );
  if (template?.kind !== 'template') return [];
  const written = value.slice(template.start, template.end);
  return [
    {
      path,
      message: `${written} stands inside source text; make it a parameter and read it as params.<name>`,
    },
  ];
}

function edgeProblems(document: WorkflowDocument, nodeTypes: NodeTypes): FieldProblem[] {
  const nodes = new Map(document.nodes.map((node) => [node.id, node]));
  const seen = new Set<string>();
  return document.edges.flatMap((edge, index) => {
    const problem =
      oneEdgeProblem(edge, nodes, nodeTypes) ?? (seen.has(keyOf(edge)) ? 'is there twice' : undefined);
    seen.add(keyOf(edge));
    return problem === undefined ? [] : [{ path: `edges[${index}]`, message: problem }];
  });
}

function keyOf(edge: Edge): string {
  return JSON.stringify([edge.source, edge.source_handle ?? 'next', edge.target]);
}

function oneEdgeProblem(
  edge: Edge,
  nodes: ReadonlyMap<string, WorkflowNode>,
  nodeTypes: NodeTypes,
): string | undefined {
  const [source, target] = [nodes.get(edge.source), nodes.get(edge.target)];
  if (source === undefined) return `starts at node "${edge.source}", which does not exist`;
  if (target === undefined)
    return `leads from ${called(source)} to node "${edge.target}", which does not exist`;
  if (target.node_type === 'start') return `leads from ${called(source)} into the start node`;
  const facts = nodeTypes.get(source.node_type);
  const port = edge.source_handle ?? 'next';
  const border = borderProblem({ source, target, port }, facts);
  if (border !== undefined || facts === undefined) return border;
  const ports = facts.ports(source.data);
  const isKnown = ports.includes(port) || facts.container?.includes(port) === true;
  if (isKnown || (facts.portsTo?.(source.data, target.id) ?? []).length > 0) return undefined;
  return `leaves ${called(source)} by "${port}"; it has ${ports.length === 0 ? 'no way out' : `only ${ports.join(', ')}`}`;
}

function targetsOf(
  document: WorkflowDocument,
  edges: readonly Edge[] = document.edges,
): Map<string, string[]> {
  const targets = new Map<string, string[]>(document.nodes.map((node) => [node.id, []]));
  for (const edge of edges) targets.get(edge.source)?.push(edge.target);
  return targets;
}

/** Looks for a way back with an explicit stack, so that a long chain of nodes cannot overflow ours. */
function cycleProblems(document: WorkflowDocument): FieldProblem[] {
  const targets = targetsOf(document);
  const nodes = new Map(document.nodes.map((node) => [node.id, node]));
  const finished = new Set<string>();
  for (const first of document.nodes) {
    const trail: { id: string; next: number }[] = finished.has(first.id) ? [] : [{ id: first.id, next: 0 }];
    while (trail.length > 0) {
      const top = trail.at(-1) as { id: string; next: number };
      const target = targets.get(top.id)?.[top.next];
      top.next += 1;
      if (target === undefined) {
        finished.add(top.id);
        trail.pop();
        continue;
      }
      const from = trail.findIndex((step) => step.id === target);
      if (from !== -1) {
        const circle = [...trail.slice(from).map((step) => step.id), target];
        const names = circle.map((id) => `"${nodes.get(id)?.name}" (${id})`).join(' -> ');
        return [
          { path: 'edges', message: `the nodes go round in a circle: ${names}; remove one of these edges` },
        ];
      }
      if (!finished.has(target)) trail.push({ id: target, next: 0 });
    }
  }
  return [];
}

function reachProblems(document: WorkflowDocument, nodeTypes: NodeTypes): FieldProblem[] {
  const targets = targetsOf(document, allEdges(document, nodeTypes));
  const start = document.nodes.find((node) => node.node_type === 'start');
  const reached = new Set<string>();
  const waiting = start === undefined ? [] : [start.id];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (reached.has(id)) continue;
    reached.add(id);
    waiting.push(...(targets.get(id) ?? []));
  }
  return document.nodes.flatMap((node, index) =>
    reached.has(node.id)
      ? []
      : [
          {
            path: `nodes[${index}]`,
            message: `${called(node)} is not reached from the start node; connect or remove it`,
          },
        ],
  );
}

/** What a draft may still lack: settings that must be filled in, and references that must lead somewhere. */
function publishProblems(
  node: WorkflowNode,
  index: number,
  document: WorkflowDocument,
  nodeTypes: NodeTypes,
): FieldProblem[] {
  const facts = nodeTypes.get(node.node_type);
  const missing = Object.entries(facts?.fields ?? {})
    .filter(([field, { required }]) => required === true && isEmpty(node.data[field]))
    .map(([field, { label }]) => ({
      path: `nodes[${index}].data.${field}`,
      message: `${called(node)}: "${label}" is required`,
    }));
  const isMissing = new Set(missing.map(({ path }) => path));
  const wrong = literalSettingProblems(node.data, facts ?? {})
    .map(({ path, message }) => ({
      path: [`nodes[${index}].data`, ...path.map(String)].join('.'),
      message: `${called(node)}: ${message}`,
    }))
    .filter(({ path }) => !isMissing.has(path));
  const known = new Set([...missing, ...wrong].map(({ path }) => path));
  const rules = conditionProblems(node, `nodes[${index}]`, facts).filter(({ path }) => !known.has(path));
  return [...missing, ...wrong, ...rules, ...referenceProblems(node, index, document, facts)];
}

/** Values of a condition are templates nearly always; its operator never makes sense as one. */
function conditionProblems(node: WorkflowNode, at: string, facts: NodeTypeFacts | undefined): FieldProblem[] {
  const rules: (readonly [path: string, rule: unknown])[] = [
    [`${at}.conditions`, node['conditions']],
    [`${at}.data.node_conditions`, node.data['node_conditions']],
    ...Object.entries(facts?.fields ?? {})
      .filter(([, { type }]) => type === 'conditions')
      .map(([field]) => [`${at}.data.${field}`, node.data[field]] as const),
  ];
  return rules
    .filter(([, rule]) => !isEmpty(rule) && typeof rule !== 'string')
    .flatMap(([path, rule]) => ruleProblems(rule, path))
    .map(({ path, message }) => ({ path, message: `${called(node)}: ${message}` }));
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function referenceProblems(
  node: WorkflowNode,
  index: number,
  document: WorkflowDocument,
  facts: NodeTypeFacts | undefined,
): FieldProblem[] {
  const nodes = new Map(document.nodes.map((other) => [other.id, other]));
  return Object.entries(node.data).flatMap(([field, value]) => {
    if (facts?.literal?.includes(field) === true) return [];
    const path = `nodes[${index}].data.${field}`;
    return nodesRead(value).flatMap((id) => {
      const read = nodes.get(id);
      if (read === undefined) {
        const message = `${called(node)} reads {{node.${id}...}}, but there is no node ${id}`;
        return /^\d+$/.test(id) ? [{ path, message }] : [];
      }
      if (mayRead(node, read, nodes, facts?.inside?.includes(field) === true)) return [];
      const message = `${called(node)} reads {{node.${id}...}}, which stands in a container that is over by then; read the result of ${called(nodes.get(read.parent_id ?? '') ?? read)} instead`;
      return [{ path, message }];
    });
  });
}

/** Ids of the nodes that a setting reads. */
function nodesRead(value: unknown): string[] {
  try {
    const paths = pathsIn(compileTemplate(value));
    return [...new Set(paths.flatMap((path) => (path.node === undefined ? [] : [path.node])))];
  } catch (error) {
    if (error instanceof AppError) return []; // reported by nodeProblems already
    throw error;
  }
}
