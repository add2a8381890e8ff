import { pathsIn, type CompiledTemplate, type Path } from '#domain/template';
import { ownRoots } from '#domain/template/expression';

/** Which parts of the scope the templates of a workflow read: the others are not loaded for its runs. */
export interface PlanReads {
  readonly config: boolean;
  /** User-defined fields of the linked account. */
  readonly linkedAccount: boolean;
  /** The SaaS company's own credentials of the linked account. */
  readonly authCredentials: boolean;
  /** When the last incremental sync ended. */
  readonly lastSyncTime: boolean;
  /** Names of environment variables; `all` when a template reads the whole environment. */
  readonly variables: ReadonlySet<string> | 'all';
}

/** Names without a node or variable behind them: every run has them (run-scope). */
const runAliases: ReadonlySet<string> = new Set([
  'execution_id',
  'start_time',
  'triggered_by',
  'input_data',
  'last_sync_time',
]);

/** Finds out what the settings of all nodes read. */
export function planReads(settings: readonly CompiledTemplate[], slugs: ReadonlySet<string>): PlanReads {
  const paths = settings.flatMap(pathsIn);
  const account = paths.filter(({ root }) => root === 'linked_account');
  return {
    config: paths.some(({ root }) => root === 'config' || root === 'dataslot'),
    linkedAccount: account.some(({ segments: [first] }) => first === 'udf' || first === undefined),
    authCredentials: account.some(({ segments: [first] }) => first === 'auth_credentials'),
    lastSyncTime: paths.some(({ root }) => root === 'last_sync_time'),
    variables: variableNames(paths, slugs),
  };
}

function variableNames(paths: readonly Path[], slugs: ReadonlySet<string>): PlanReads['variables'] {
  const names = new Set<string>();
  for (const { root, segments } of paths) {
    if (root === 'env') {
      const [, name] = segments;
      if (name === undefined) return 'all';
      names.add(name);
    } else if (!ownRoots.has(root) && !slugs.has(root) && !runAliases.has(root)) {
      names.add(root);
    }
  }
  return names;
}
