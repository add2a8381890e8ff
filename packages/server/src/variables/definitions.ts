import type { Db, VariableFormat, VariableScope } from '#db/schema';
import {
  deleteDefinition,
  findDefinition,
  insertDefinition,
  listDefinitions,
  updateDescription,
  type DefinitionFilter,
  type StoredDefinition,
} from '#db/variable';
import { AppError } from '#domain/errors';
import { isForbiddenName } from '#domain/exact-json';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';

/** Environment variables: what there is. A definition belongs to the organisation; values differ by environment. */

interface DefinitionDeps {
  readonly db: Db;
}

export interface DefinitionInput {
  readonly name: string;
  readonly description?: string | undefined;
  readonly scope: VariableScope;
  readonly format: VariableFormat;
  readonly isEncrypted: boolean;
}

const longestName = 100;
const longestDescription = 1_000;

/** A page of the organisation's definitions, oldest first. */
export function listVariableDefinitions(
  deps: DefinitionDeps,
  tenant: Tenant,
  filter: DefinitionFilter,
  at: { readonly page: number; readonly limit: number },
): Promise<{ rows: StoredDefinition[]; total: number }> {
  return listDefinitions(deps.db, tenant.orgId, filter, at);
}

/** @throws AppError `variable_not_found` */
export async function getDefinition(
  deps: DefinitionDeps,
  tenant: Tenant,
  id: string,
): Promise<StoredDefinition> {
  return (await findDefinition(deps.db, tenant.orgId, id)) ?? missing(id);
}

/** @throws AppError `invalid_request` for a name that no template can spell, `variable_exists` */
export async function createDefinition(
  deps: DefinitionDeps,
  tenant: Tenant,
  input: DefinitionInput,
  by: string,
): Promise<StoredDefinition> {
  const name = checkedName(input.name);
  const stored = await insertDefinition(deps.db, {
    id: newId(),
    orgId: tenant.orgId,
    name,
    description: checkedDescription(input.description ?? ''),
    scope: input.scope,
    format: input.format,
    isEncrypted: input.isEncrypted,
    by,
  });
  if (stored === undefined) throw new AppError('variable_exists', { name, scope: input.scope });
  return stored;
}

/**
 * Changes the description. Name, scope, format and encryption are fixed at creation: workflows and stored values
 * rest on them.
 *
 * @throws AppError `variable_not_found`
 */
export async function changeDescription(
  deps: DefinitionDeps,
  tenant: Tenant,
  id: string,
  description: string,
  by: string,
): Promise<StoredDefinition> {
  const change = { description: checkedDescription(description), by };
  return (await updateDescription(deps.db, tenant.orgId, id, change)) ?? missing(id);
}

/** Deletes a definition and its values in every environment. @throws AppError `variable_not_found` */
export async function removeDefinition(deps: DefinitionDeps, tenant: Tenant, id: string): Promise<void> {
  if (!(await deleteDefinition(deps.db, tenant.orgId, id))) missing(id);
}

/** What a template can spell without its dots and spaces being mistaken. */
function checkedName(given: string): string {
  const name = given.trim();
  if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) && name.length <= longestName && !isForbiddenName(name)) {
    return name;
  }
  throw new AppError('invalid_request', {
    problems: [
      {
        path: 'name',
        message: `use letters, digits, _ and - only, beginning with a letter or _, at most ${longestName} characters`,
      },
    ],
  });
}

function checkedDescription(text: string): string {
  if (text.length <= longestDescription) return text;
  throw new AppError('invalid_request', {
    problems: [{ path: 'description', message: `at most ${longestDescription} characters` }],
  });
}

function missing(id: string): never {
  throw new AppError('variable_not_found', { id });
}
