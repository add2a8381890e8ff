import {
  findConfig,
  deleteConfigRow,
  insertConfig,
  listConfigs,
  saveSwitch,
  updateConfigRow,
} from '#db/config';
import type { ConfigKey, StoredConfig } from '#db/config';
import { listFields } from '#db/config-field';
import { findLinkedAccountById } from '#db/linked-account';
import type { StoredField } from '#db/config-field';
import { hasConnection, isAppEnabled } from '#db/enabled-app';
import type { Db } from '#db/schema';
import { tenantTransaction } from '#db/tenant-transaction';
import { deriveTriggers, stopSchedulesOfConfig } from '#db/trigger-registration';
import { findWorkflow } from '#db/workflow';
import type { StoredWorkflow } from '#db/workflow';
import { checkFieldValue, isBlank } from '#domain/config-field';
import { AppError } from '#domain/errors';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';
import { isEnabledIn, loadConfig, valuesOf, viewConfig, viewField } from '#configs/config-view';
import type { ConfigDeps, ConfigFieldView, ConfigView, FieldError, LoadedConfig } from '#configs/config-view';
import { readDefinition } from '#configs/field-definition';

/** What a linked account chose for an app (spec/connect §12.1). */

export interface ConfigCall {
  readonly tenant: Tenant;
  readonly linkedAccount: LinkedAccountRef;
  readonly slug: string;
  /** Default: the account's own id. */
  readonly configId?: string | undefined;
  /** False leaves out choices that must be asked of the app. */
  readonly withOptions: boolean;
  /** Whoever calls may not switch workflows. */
  readonly isWorkflowReadOnly?: boolean | undefined;
}

/** Values by field id; `null` clears one. */
export type ValueChanges = Readonly<Record<string, unknown>>;

export interface ConfigChange {
  readonly fields: ValueChanges;
  readonly workflows: readonly {
    readonly id: string;
    readonly isEnabled?: boolean | undefined;
    readonly fields: ValueChanges;
  }[];
  /** Left sides of dynamic maps; undefined leaves what was given before. */
  readonly labels?: unknown;
}

/**
 * Finds the config, or makes it with default values. Works before the app is connected: choices that would
 * have to be asked of it are then reported in `errors`.
 *
 * @throws AppError `app_not_found`.
 */
export async function openConfig(
  deps: ConfigDeps,
  call: ConfigCall,
  change: Partial<ConfigChange> = {},
): Promise<ConfigView> {
  const { tenant } = call;
  if (!deps.connectors.has(call.slug) || !(await isAppEnabled(deps.db, tenant, call.slug))) {
    throw new AppError('app_not_found', { slug: call.slug, orgId: tenant.orgId });
  }
  const errors = await tenantTransaction(deps.db, tenant, async (transaction) => {
    const key = keyOf(call);
    if ((await findConfig(transaction, tenant, key)) === undefined) {
      await insertWithDefaults(transaction, tenant, key, change.labels);
    }
    const problems = await applyChange(transaction, call, {
      fields: change.fields ?? {},
      workflows: change.workflows ?? [],
      labels: change.labels,
    });
    await deriveTriggers(transaction, { tenant, linkedAccountId: call.linkedAccount.id });
    return problems;
  });
  return readConfig(deps, call, errors);
}

/**
 * Makes the default config of an app that an account has just connected, so that workflows that switch themselves
 * on (spec/connect §12.7) run from now on. One that is there stays as it is.
 *
 * @param transaction - the one that stores the connection: neither is ever there without the other
 */
export async function makeDefaultConfig(
  transaction: Db,
  { tenant, linkedAccountId, slug }: { tenant: Tenant; linkedAccountId: string; slug: string },
): Promise<void> {
  const account = await findLinkedAccountById(transaction, tenant, linkedAccountId);
  if (account === undefined) throw new AppError('not_found', { what: 'Linked account', id: linkedAccountId });
  await insertWithDefaults(transaction, tenant, { linkedAccountId, slug, configId: account.accountId });
  await deriveTriggers(transaction, { tenant, linkedAccountId });
}

/** @throws AppError `config_not_found`: reading makes nothing. */
export function getConfig(deps: ConfigDeps, call: ConfigCall): Promise<ConfigView> {
  return readConfig(deps, call, []);
}

/**
 * Saves what is listed and leaves the rest. Bad values are kept out and reported; required ones that are
 * missing are reported too. Savers of one config wait for each other.
 *
 * @throws AppError `config_not_found`, `config_field_not_found`, `workflow_not_found`, `not_connected`.
 */
export async function saveConfig(
  deps: ConfigDeps,
  call: ConfigCall,
  change: ConfigChange,
): Promise<ConfigView> {
  const errors = await tenantTransaction(deps.db, call.tenant, async (transaction) => {
    const problems = await applyChange(transaction, call, change);
    if (change.workflows.some(({ isEnabled }) => isEnabled !== undefined)) {
      await deriveTriggers(transaction, { tenant: call.tenant, linkedAccountId: call.linkedAccount.id });
    }
    return problems;
  });
  const view = await readConfig(deps, call, errors);
  return { ...view, errors: [...view.errors, ...missingValues(view)] };
}

/** Switches one workflow on or off. @throws AppError as `saveConfig` does. */
export async function switchWorkflow(
  deps: ConfigDeps,
  call: ConfigCall,
  workflowId: string,
  isEnabled: boolean,
): Promise<ConfigView> {
  const change = { fields: {}, workflows: [{ id: workflowId, isEnabled, fields: {} }] };
  const view = await saveConfig(deps, call, change);
  const loaded = await loadConfig(deps.db, call.tenant, view.config);
  const workflow = await requireWorkflow(deps.db, call, loaded, workflowId);
  if (view.workflows.some((shown) => shown.workflow.id === workflow.id)) return view;
  // Who switches one that configs do not list sees what became of it all the same.
  const switched = { workflow, isEnabled: isEnabledIn(loaded, workflow), fields: [] };
  return { ...view, workflows: [...view.workflows, switched] };
}

/** Removes the config with its values and switches; the connection stays. @throws AppError `config_not_found` */
export async function deleteConfig(
  deps: Pick<ConfigDeps, 'db'>,
  call: Omit<ConfigCall, 'withOptions'>,
): Promise<void> {
  const key = keyOf(call);
  await tenantTransaction(deps.db, call.tenant, async (transaction) => {
    const isDeleted = await deleteConfigRow(transaction, call.tenant, key);
    if (!isDeleted) throw new AppError('config_not_found', { configId: key.configId });
    await deriveTriggers(transaction, { tenant: call.tenant, linkedAccountId: key.linkedAccountId });
    await stopSchedulesOfConfig(transaction, call.tenant, key);
  });
}

/** The configs of an account for one app; none is an empty list. */
export function configsOf(
  deps: Pick<ConfigDeps, 'db'>,
  tenant: Tenant,
  linkedAccountId: string,
  slug: string,
): Promise<{ id: string; config_id: string }[]> {
  return listConfigs(deps.db, tenant, linkedAccountId, slug);
}

/** Which field of a config. */
export interface FieldCall extends ConfigCall {
  readonly fieldId: string;
  readonly workflowId?: string | undefined;
}

/**
 * One field with its choices, for a value of its parent that may not be saved yet.
 *
 * @throws AppError `config_not_found`, `config_field_not_found`, and whatever keeps the choices from loading.
 */
export async function getConfigField(
  deps: ConfigDeps,
  call: FieldCall,
  parentValue?: unknown,
): Promise<ConfigFieldView> {
  const loaded = await loadConfig(deps.db, call.tenant, await requireConfig(deps.db, call));
  const field = await requireField(deps.db, call, loaded);
  const options = { withOptions: call.withOptions, parentValue };
  return (await viewField(deps, call.tenant, loaded, field, options)).view;
}

/**
 * Saves or clears (`null`) one value.
 *
 * @throws AppError as `getConfigField`; `invalid_request` when the value is bad: here nothing else is saved.
 */
export async function setConfigField(
  deps: ConfigDeps,
  call: FieldCall,
  value: unknown,
): Promise<ConfigFieldView> {
  await tenantTransaction(deps.db, call.tenant, async (transaction) => {
    const loaded = await loadConfig(transaction, call.tenant, await requireConfig(transaction, call, true));
    const field = await requireField(transaction, call, loaded);
    const fields = { [field.id]: value };
    const change: ConfigChange =
      field.workflow_id === null
        ? { fields, workflows: [] }
        : { fields: {}, workflows: [{ id: field.workflow_id, fields }] };
    const errors = await applyChange(transaction, call, change);
    if (errors.length > 0) {
      throw new AppError('invalid_request', {
        problems: errors.map((error) => ({ path: 'value', message: error.error.message })),
      });
    }
  });
  return getConfigField(deps, call);
}

async function insertWithDefaults(db: Db, tenant: Tenant, key: ConfigKey, labels?: unknown): Promise<void> {
  const fieldValues = defaultsOf(await listFields(db, tenant, key.slug), null);
  await insertConfig(db, tenant, key, { fieldValues, labels });
}

async function readConfig(
  deps: ConfigDeps,
  call: ConfigCall,
  errors: readonly FieldError[],
): Promise<ConfigView> {
  const config = await requireConfig(deps.db, call);
  const loaded = await loadConfig(deps.db, call.tenant, config);
  return viewConfig(deps, call.tenant, loaded, { withOptions: call.withOptions, errors });
}

async function applyChange(db: Db, call: ConfigCall, change: ConfigChange): Promise<FieldError[]> {
  const config = await requireConfig(db, call, true);
  const loaded = await loadConfig(db, call.tenant, config);
  const own = mergeValues(loaded, null, change.fields);
  const hasFields = Object.keys(change.fields).length > 0;
  if (hasFields || change.labels !== undefined) {
    await updateConfigRow(db, call.tenant, config.id, {
      ...(hasFields ? { fieldValues: own.values } : {}),
      ...(change.labels === undefined ? {} : { labels: change.labels }),
    });
  }
  const errors = [...own.errors];
  for (const wanted of change.workflows) {
    const workflow = await requireWorkflow(db, call, loaded, wanted.id);
    const wasEnabled = isEnabledIn(loaded, workflow);
    const isEnabled = wanted.isEnabled ?? wasEnabled;
    if (isEnabled !== wasEnabled && call.isWorkflowReadOnly === true) {
      throw new AppError('workflow_read_only', undefined);
    }
    if (isEnabled && !wasEnabled) await requireConnection(db, call);
    const merged = mergeValues(loaded, workflow.id, wanted.fields);
    errors.push(...merged.errors);
    const of = { configPk: config.id, workflowId: workflow.id };
    await saveSwitch(db, call.tenant, of, { isEnabled, fieldValues: merged.values });
  }
  return errors;
}

/** Listed keys are set, `null` clears, the rest stays; fields below a changed parent lose values that were not sent. */
function mergeValues(
  loaded: LoadedConfig,
  workflowId: string | null,
  changes: ValueChanges,
): { values: Record<string, unknown>; errors: FieldError[] } {
  const fields = loaded.fields.filter((field) => field.workflow_id === workflowId);
  const before = valuesOf(loaded, workflowId);
  const values: Record<string, unknown> =
    workflowId !== null && !loaded.switches.has(workflowId) ? defaultsOf(fields, workflowId) : { ...before };
  const errors: FieldError[] = [];
  for (const [id, value] of Object.entries(changes)) {
    const field = fields.find((candidate) => candidate.id === id);
    if (field === undefined) throw new AppError('config_field_not_found', { fieldId: id });
    if (isBlank(value)) {
      delete values[id];
    } else {
      const checked = checkFieldValue(rulesOf(field), value);
      if (checked.ok) values[id] = checked.value;
      else errors.push({ id, name: field.name, error: { message: `"${field.name}" ${checked.message}` } });
    }
    if (JSON.stringify(values[id]) !== JSON.stringify(before[id])) clearBelow(fields, id, values, changes);
  }
  return { values, errors };
}

function clearBelow(
  fields: readonly StoredField[],
  parent: string,
  values: Record<string, unknown>,
  changes: ValueChanges,
  seen: ReadonlySet<string> = new Set(),
): void {
  for (const field of fields) {
    if (readDefinition(field).parent !== parent || seen.has(field.id)) continue;
    if (!Object.hasOwn(changes, field.id)) delete values[field.id];
    clearBelow(fields, field.id, values, changes, new Set([...seen, parent]));
  }
}

function rulesOf(field: StoredField) {
  const definition = readDefinition(field);
  return {
    fieldType: field.field_type,
    isMultiple: field.is_multiple,
    // Choices that the app offers live are not asked for again on every save.
    options: definition.liveOptions === undefined ? definition.options : undefined,
    labels: definition.labelsObject === undefined ? definition.labels : undefined,
  };
}

function defaultsOf(fields: readonly StoredField[], workflowId: string | null): Record<string, unknown> {
  const pairs = fields
    .filter((field) => field.workflow_id === workflowId)
    .map((field) => [field.id, readDefinition(field).defaultValue] as const)
    .filter(([, value]) => !isBlank(value));
  return Object.fromEntries(pairs);
}

/** Required fields without a value: the app's own, and those of workflows that are switched on. */
function missingValues(view: ConfigView): FieldError[] {
  const shown = [...view.fields, ...view.workflows.flatMap((item) => (item.isEnabled ? item.fields : []))];
  return shown
    .filter(({ field, value }) => field.is_required && !field.is_hidden && isBlank(value))
    .filter(({ field }) => !view.errors.some((error) => error.id === field.id))
    .map(({ field }) => ({
      id: field.id,
      name: field.name,
      error: { message: `"${field.name}" is required.` },
    }));
}

function keyOf(call: Omit<ConfigCall, 'withOptions'>): ConfigKey {
  return {
    linkedAccountId: call.linkedAccount.id,
    slug: call.slug,
    configId: call.configId ?? call.linkedAccount.accountId,
  };
}

async function requireConfig(db: Db, call: ConfigCall, lock = false): Promise<StoredConfig> {
  const key = keyOf(call);
  const config = await findConfig(db, call.tenant, key, { lock });
  if (config === undefined) throw new AppError('config_not_found', { configId: key.configId });
  return config;
}

/** A workflow of the config by either of its ids. */
async function requireWorkflow(
  db: Db,
  call: ConfigCall,
  loaded: LoadedConfig,
  id: string,
): Promise<StoredWorkflow> {
  const listed = loaded.workflows.find((workflow) => workflow.id === id || workflow.draft_id === id);
  if (listed !== undefined) return listed;
  const other = await findWorkflow(db, call.tenant, id);
  const isOfConfig = other?.app_slug === call.slug && other.published_version !== null;
  // Hidden ones are not shown to customers, yet set by programs; an account's own are listed with its workflows.
  const isSettable =
    other?.linked_account_id === null
      ? other.is_hidden_in_config
      : other?.linked_account_id === call.linkedAccount.id;
  if (!isOfConfig || !isSettable) throw new AppError('workflow_not_found', { id });
  return other;
}

async function requireField(db: Db, call: FieldCall, loaded: LoadedConfig): Promise<StoredField> {
  const workflow =
    call.workflowId === undefined ? undefined : await requireWorkflow(db, call, loaded, call.workflowId);
  const field = loaded.fields.find(
    (candidate) =>
      candidate.id === call.fieldId && (workflow === undefined || candidate.workflow_id === workflow.id),
  );
  if (field === undefined) throw new AppError('config_field_not_found', { fieldId: call.fieldId });
  return field;
}

async function requireConnection(db: Db, call: ConfigCall): Promise<void> {
  if (await hasConnection(db, call.tenant, call.linkedAccount.id, call.slug)) return;
  throw new AppError('not_connected', { app: call.slug, account: call.linkedAccount.accountId });
}
