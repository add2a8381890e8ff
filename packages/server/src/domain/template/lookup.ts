import { isRecord } from '#domain/exact-json';
import { ownRoots } from '#domain/template/expression';
import type { Expression, Path } from '#domain/template/expression';

/** Where the values of one execution are found. Only own properties are ever read. */
export interface TemplateScope {
  /** By root: `event`, `array_item`, `loop`, `instance_meta_data`, `linked_account`, `env`, `config`, `execution_id`, ... */
  readonly values: Readonly<Record<string, unknown>>;
  /** The recorded result of a node, `{status, body, ...}`, or undefined when it has not run. */
  readonly node: (id: string) => unknown;
  /** The number of the node whose name has this slug. */
  readonly nodeIdOf?: (slug: string) => string | undefined;
}

/** Reads text that may hold templates itself; used for workflow-scope variables only. */
type ReadText = (text: string) => unknown;

/** The first operand with a value; when all are empty, the last one as it is, so `null` stays `null`. */
export function evaluate(expression: Expression, scope: TemplateScope, readText: ReadText): unknown {
  let value: unknown;
  for (const operand of expression.operands) {
    value = operand.kind === 'literal' ? operand.value : lookUp(operand, scope, readText);
    if (value !== undefined && value !== null && value !== '') return value;
  }
  return value;
}

function lookUp(path: Path, scope: TemplateScope, readText: ReadText): unknown {
  if (path.root === 'node') return descendNode(nodeResult(path.node ?? '', scope), path.segments, scope);
  if (Object.hasOwn(scope.values, path.root)) return fromRoot(path, scope, readText);
  if (path.root === 'start') return path.segments.length === 0 ? { body: scope.values['event'] } : undefined;
  const twin = path.root === 'config' ? 'dataslot' : path.root === 'dataslot' ? 'config' : undefined;
  if (twin !== undefined) return descend(own(scope.values, twin), path.segments);
  if (ownRoots.has(path.root)) return undefined;
  const nodeId = scope.nodeIdOf?.(path.root);
  if (nodeId !== undefined) return descendNode(scope.node(nodeId), path.segments, scope);
  return variable(path, scope, readText);
}

function nodeResult(idOrSlug: string, scope: TemplateScope): unknown {
  return scope.node(idOrSlug) ?? scope.node(scope.nodeIdOf?.(idOrSlug) ?? idOrSlug);
}

function fromRoot(path: Path, scope: TemplateScope, readText: ReadText): unknown {
  const value = descend(own(scope.values, path.root), path.segments);
  const isWorkflowVariable = path.root === 'env' && path.segments[0] === 'workflow';
  return isWorkflowVariable && typeof value === 'string' && value.includes('{{') ? readText(value) : value;
}

/** A bare name is a variable: the narrowest scope that knows it wins. */
function variable(path: Path, scope: TemplateScope, readText: ReadText): unknown {
  const env = own(scope.values, 'env');
  for (const level of ['workflow', 'linked_account', 'workspace', 'org']) {
    const found = own(own(env, level), path.root);
    if (found === undefined) continue;
    const value = descend(found, path.segments);
    return level === 'workflow' && typeof value === 'string' && value.includes('{{')
      ? readText(value)
      : value;
  }
  return undefined;
}

/**
 * Node results have three shapes of their own: a loop's results are reached by index on its body, and inside
 * a loop `body.array_item` and `body.iteration_count` mean the running iteration (spec/workflows §10.9, §12.7).
 */
function descendNode(result: unknown, segments: readonly string[], scope: TemplateScope): unknown {
  const [first, second, ...rest] = segments;
  if (first !== 'body' || second === undefined) return descend(result, segments);
  const body = own(result, 'body');
  const direct = own(body, second);
  if (direct !== undefined) return descend(direct, rest);
  const results = isIndex(second) || second === 'length' ? own(body, 'loop_results') : undefined;
  if (Array.isArray(results)) return descend(own(results, second), rest);
  if (second === 'array_item') return descend(own(scope.values, 'array_item'), rest);
  if (second === 'iteration_count') return descend(own(own(scope.values, 'loop'), 'iteration_count'), rest);
  return undefined;
}

function descend(from: unknown, segments: readonly string[]): unknown {
  let value = from;
  for (const segment of segments) {
    if (value === undefined || value === null) return undefined;
    value = own(value, segment);
  }
  return value;
}

function own(value: unknown, name: string): unknown {
  if (Array.isArray(value)) {
    if (name === 'length') return value.length;
    return isIndex(name) ? value[Number(name)] : undefined;
  }
  if (typeof value === 'string') return name === 'length' ? value.length : undefined;
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function isIndex(name: string): boolean {
  return /^(0|[1-9]\d{0,14})$/.test(name);
}
