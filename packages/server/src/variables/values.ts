import type { Db, VariableScope } from '#db/schema';
import {
  deleteValue,
  findValue,
  findValueById,
  listValues,
  putValue,
  type StoredDefinition,
  type StoredVariableValue,
  type ValueTarget,
} from '#db/variable';
import { findLinkedAccountRef } from '#db/linked-account';
import { tenantTransaction } from '#db/tenant-transaction';
import { findWorkflow } from '#db/workflow';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import { redacted } from '#domain/masking/index';
import { templateProblems } from '#domain/template';
import type { Tenant } from '#domain/tenant';
import { sealContext, type Vault } from '#vault/index';
import { getDefinition } from '#variables/definitions';

/** Environment variables: their values, each in one environment. */

interface ValueDeps {
  readonly db: Db;
  readonly vault: Pick<Vault, 'seal'>;
}

/** Whose value is meant; the ids as callers know them. */
export interface ValueQuery {
  readonly definitionId: string;
  readonly accountId?: string | undefined;
  readonly workflowId?: string | undefined;
}

const longestValue = 32 * 1024;

/** @throws AppError `variable_not_found`, `variable_not_set`, `variable_scope_mismatch` */
export async function getValue(
  deps: ValueDeps,
  tenant: Tenant,
  query: ValueQuery,
): Promise<StoredVariableValue> {
  const definition = await getDefinition(deps, tenant, query.definitionId);
  const value = await findValue(deps.db, tenant, await targetOf(deps, tenant, definition, query));
  if (value === undefined) throw new AppError('variable_not_set', { name: definition.name });
  return value;
}

/**
 * Sets a value or replaces it.
 *
 * @throws AppError `variable_not_found`, `variable_scope_mismatch`, `variable_value_invalid`, `linked_account_not_found`,
 * `workflow_not_found`
 */
export async function setValue(
  deps: ValueDeps,
  tenant: Tenant,
  query: ValueQuery & { readonly value: string },
  by: string,
): Promise<StoredVariableValue> {
  const definition = await getDefinition(deps, tenant, query.definitionId);
  const target = await targetOf(deps, tenant, definition, query);
  checkValue(definition, query.value);
  await tenantTransaction(deps.db, tenant, (transaction) =>
    putValue(transaction, tenant, target, {
      newId: newId(),
      by,
      contentOf: (id) =>
        definition.is_encrypted
          ? { sealed: deps.vault.seal(query.value, sealContext('variable_value.value_sealed', id)) }
          : { value: query.value },
    }),
  );
  const stored = await findValue(deps.db, tenant, target);
  // Deleted by somebody else in this moment.
  if (stored === undefined) throw new AppError('variable_not_set', { name: definition.name });
  return stored;
}

/** A page of the values of one scope in the tenant's environment. @throws AppError `linked_account_not_found` */
export async function listValuesOfScope(
  deps: ValueDeps,
  tenant: Tenant,
  filter: {
    readonly scope: VariableScope;
    readonly definitionId?: string | undefined;
    readonly accountId?: string | undefined;
    readonly workflowId?: string | undefined;
  },
  at: { readonly page: number; readonly limit: number },
): Promise<{ rows: StoredVariableValue[]; total: number }> {
  const { scope, definitionId, accountId, workflowId } = filter;
  const linkedAccountId = accountId === undefined ? undefined : await accountOf(deps, tenant, accountId);
  const workflow = workflowId === undefined ? undefined : await workflowOf(deps, tenant, workflowId);
  return listValues(deps.db, tenant, { scope, definitionId, linkedAccountId, workflowId: workflow }, at);
}

/**
 * Deletes a value; with an account, only one of that account.
 *
 * @throws AppError `variable_value_not_found`
 */
export async function removeValue(
  deps: ValueDeps,
  tenant: Tenant,
  id: string,
  linkedAccountId?: string,
): Promise<void> {
  const stored = await findValueById(deps.db, tenant, id);
  if (stored === undefined || !(await deleteValue(deps.db, tenant, id, linkedAccountId))) {
    throw new AppError('variable_value_not_found', { id });
  }
}

/** The owner that the scope asks for; an owner that it does not have is a mistake worth telling. */
async function targetOf(
  deps: ValueDeps,
  tenant: Tenant,
  { id, name, scope }: StoredDefinition,
  { accountId, workflowId }: ValueQuery,
): Promise<ValueTarget> {
  const given = { linked_account_id: accountId, workflow_id: workflowId };
  const wanted =
    scope === 'linked_account' ? 'linked_account_id' : scope === 'workflow' ? 'workflow_id' : undefined;
  for (const field of ['linked_account_id', 'workflow_id'] as const) {
    if (field === wanted && given[field] === undefined) {
      throw new AppError('variable_scope_mismatch', {
        name,
        scope,
        reason: `${field} is required for ${scope} scope`,
      });
    }
    if (field !== wanted && given[field] !== undefined) {
      throw new AppError('variable_scope_mismatch', {
        name,
        scope,
        reason: `leave ${field} out for ${scope} scope`,
      });
    }
  }
  return {
    definitionId: id,
    linkedAccountId: accountId === undefined ? null : await accountOf(deps, tenant, accountId),
    workflowId: workflowId === undefined ? null : await workflowOf(deps, tenant, workflowId),
  };
}

async function accountOf({ db }: ValueDeps, tenant: Tenant, accountId: string): Promise<string> {
  const account = await findLinkedAccountRef(db, tenant, accountId);
  if (account === undefined) throw new AppError('linked_account_not_found', { id: accountId, ...tenant });
  return account.id;
}

/** A workflow by either of its ids. */
async function workflowOf({ db }: ValueDeps, tenant: Tenant, id: string): Promise<string> {
  const workflow = await findWorkflow(db, tenant, id);
  if (workflow === undefined) throw new AppError('workflow_not_found', { id });
  return workflow.id;
}

function checkValue(
  { name, var_format: format, scope, is_encrypted }: StoredDefinition,
  value: string,
): void {
  const refuse = (reason: string): never => {
    throw new AppError('variable_value_invalid', { name, reason });
  };
  if (value === '') refuse('it is empty; delete the value instead');
  if (Buffer.byteLength(value) > longestValue) refuse(`it is longer than ${longestValue} bytes`);
  if (is_encrypted && value === redacted) {
    refuse(`"${redacted}" stands for the value that is there already; send the real one or nothing`);
  }
  if (scope === 'workflow' && value.includes('{{')) {
    // What a template comes to is known at run time only.
    const [problem] = templateProblems(value, 'value');
    if (problem !== undefined) refuse(problem.message);
    return;
  }
  if (format === 'number' && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value.trim())) {
    refuse('the format is number, such as 12 or -3.5');
  }
  if (format === 'url' && !(URL.canParse(value) && /^https?:/i.test(value))) {
    refuse('the format is url, such as https://api.example.com');
  }
}
