import type { Pool, PoolClient } from 'pg';
import type { VariableScope } from '#db/schema';
import { valuesForRun, type RunVariableValue } from '#db/variable';
import { compileTemplate, pathsIn, type CompiledTemplate } from '#domain/template';
import type { Tenant } from '#domain/tenant';
import { sealContext, type Vault } from '#vault/index';

/** Values of environment variables for the templates of one run. */
export interface RunEnvironment {
  /** What `{{env.…}}` reads: by scope, then by name. */
  readonly env: Readonly<Record<VariableScope, Readonly<Record<string, unknown>>>>;
  /** Values that nobody may see; they are in `env` too. */
  readonly secrets: readonly string[];
  /** Values of workflow scope that are templates themselves. */
  readonly templates: readonly CompiledTemplate[];
}

/** The names that templates read; `all` when one of them reads the whole environment. */
export type VariableNames = ReadonlySet<string> | 'all';

/**
 * Loads what a run may read. Encrypted values are opened for the names that are read, and for no others.
 *
 * @throws AppError `sealed_value_unreadable`
 */
export async function runEnvironment(
  deps: { readonly client: Pool | PoolClient; readonly vault: Pick<Vault, 'open'> },
  tenant: Tenant,
  of: { readonly linkedAccountId: string; readonly workflowId: string; readonly names: VariableNames },
): Promise<RunEnvironment> {
  const values = await valuesForRun(deps.client, tenant, of);
  const templates = readTemplates(of.names, values);
  const isRead = readsOf(of.names, templates);
  const env = { org: {}, workspace: {}, linked_account: {}, workflow: {} } as Record<
    VariableScope,
    Record<string, unknown>
  >;
  const secrets: string[] = [];
  for (const row of values) {
    if (!isRead(row.name)) continue;
    if (row.value_sealed === null) {
      env[row.scope][row.name] = typed(row, row.value ?? '');
      continue;
    }
    const secret = deps.vault
      .open(row.value_sealed, sealContext('variable_value.value_sealed', row.id))
      .toString('utf8');
    env[row.scope][row.name] = typed(row, secret);
    secrets.push(secret);
  }
  return { env, secrets, templates };
}

/** A value of workflow scope may be a template itself, one level deep. */
function readTemplates(names: VariableNames, values: readonly RunVariableValue[]): CompiledTemplate[] {
  return values.flatMap(({ scope, name, value }) =>
    scope === 'workflow' && value !== null && value.includes('{{') && (names === 'all' || names.has(name))
      ? [compileTemplate(value)]
      : [],
  );
}

function readsOf(names: VariableNames, templates: readonly CompiledTemplate[]): (name: string) => boolean {
  if (names === 'all') return () => true;
  const read = new Set(names);
  for (const path of templates.flatMap(pathsIn)) {
    const [, second] = path.segments;
    read.add(path.root === 'env' && second !== undefined ? second : path.root);
  }
  return (name) => read.has(name);
}

/** A number is a number to templates, unless a double would change it. */
function typed({ var_format: format }: RunVariableValue, text: string): unknown {
  if (format !== 'number' || text.includes('{{')) return text;
  const number = Number(text);
  return Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number))
    ? number
    : text;
}
