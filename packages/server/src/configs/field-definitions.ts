import { deleteFieldRow, findField, insertField, listFields, updateFieldRow } from '#db/config-field';
import type { FieldValues, StoredField } from '#db/config-field';
import { isAppEnabled } from '#db/enabled-app';
import type { Db } from '#db/schema';
import { findWorkflow } from '#db/workflow';
import { configFieldTypes } from '#domain/config-field';
import { AppError } from '#domain/errors';
import type { FieldProblem } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { readOptions } from '#configs/field-definition';

interface FieldDeps {
  readonly db: Db;
}

export interface FieldInput {
  readonly name?: string | undefined;
  readonly fieldType?: string | undefined;
  readonly position?: number | undefined;
  readonly isRequired?: boolean | undefined;
  readonly isMultiple?: boolean | undefined;
  readonly isHidden?: boolean | undefined;
  readonly definition?: Readonly<Record<string, unknown>> | undefined;
}

/** The fields of an app and of its workflows, as the SaaS company made them. */
export function allFields(deps: FieldDeps, tenant: Tenant, slug: string): Promise<StoredField[]> {
  return listFields(deps.db, tenant, slug);
}

/**
 * Adds a field to an app, or to one workflow of it.
 *
 * @throws AppError `app_not_found`, `workflow_not_found`, `invalid_request` naming what is wrong.
 */
export async function createField(
  deps: FieldDeps,
  tenant: Tenant,
  owner: { slug: string; workflowId?: string | undefined },
  input: FieldInput,
): Promise<StoredField> {
  if (!(await isAppEnabled(deps.db, tenant, owner.slug))) {
    throw new AppError('app_not_found', { slug: owner.slug, orgId: tenant.orgId });
  }
  const workflow =
    owner.workflowId === undefined ? undefined : await findWorkflow(deps.db, tenant, owner.workflowId);
  if (owner.workflowId !== undefined && workflow?.app_slug !== owner.slug) {
    throw new AppError('workflow_not_found', { id: owner.workflowId });
  }
  const siblings = await listFields(deps.db, tenant, owner.slug);
  const values = readField({ position: siblings.length, ...dropUndefined(input) }, siblings);
  return insertField(deps.db, tenant, { appSlug: owner.slug, workflowId: workflow?.id ?? null }, values);
}

/** Changes the parts that are given. Values that customers saved before stay until they save again. */
export async function changeField(
  deps: FieldDeps,
  tenant: Tenant,
  id: string,
  input: FieldInput,
): Promise<StoredField> {
  const before = await findField(deps.db, tenant, id);
  if (before === undefined) throw new AppError('not_found', { what: 'Field', id });
  const siblings = await listFields(deps.db, tenant, before.app_slug);
  const values = readField(
    {
      name: before.name,
      fieldType: before.field_type,
      position: before.position,
      isRequired: before.is_required,
      isMultiple: before.is_multiple,
      isHidden: before.is_hidden,
      definition: before.definition,
      ...dropUndefined(input),
    },
    siblings.filter((field) => field.id !== id),
  );
  const after = await updateFieldRow(deps.db, tenant, id, values);
  if (after === undefined) throw new AppError('not_found', { what: 'Field', id });
  return after;
}

/** @throws AppError `not_found`. */
export async function deleteField(deps: FieldDeps, tenant: Tenant, id: string): Promise<StoredField> {
  const field = await deleteFieldRow(deps.db, tenant, id);
  if (field === undefined) throw new AppError('not_found', { what: 'Field', id });
  return field;
}

function readField(input: FieldInput, siblings: readonly StoredField[]): FieldValues {
  const problems: FieldProblem[] = [];
  const name = input.name?.trim() ?? '';
  if (name === '' || name.length > 200)
    problems.push({ path: 'name', message: 'is required, at most 200 characters' });
  const fieldType = input.fieldType ?? '';
  if (!configFieldTypes.some((known) => known === fieldType)) {
    problems.push({
      path: 'field_type',
      message: `"${fieldType}" does not exist; use one of ${configFieldTypes.join(', ')}`,
    });
  }
  const definition = input.definition ?? {};
  const { parent, options } = definition;
  if (
    options !== undefined &&
    readOptions(options)?.length !== (Array.isArray(options) ? options.length : -1)
  ) {
    problems.push({ path: 'options', message: 'is not a list of {name, value}' });
  }
  if (typeof parent === 'string' && parent !== '' && !siblings.some((field) => field.id === parent)) {
    problems.push({ path: 'parent', message: `there is no other field "${parent}" in this app` });
  }
  if (problems.length > 0) throw new AppError('invalid_request', { problems });
  return {
    name,
    fieldType,
    position: input.position ?? 0,
    isRequired: input.isRequired ?? false,
    isMultiple: input.isMultiple ?? false,
    isHidden: input.isHidden ?? false,
    definition,
  };
}

function dropUndefined(input: FieldInput): FieldInput {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}
