import { loadFieldOptions } from '#connections/index';
import type { ConnectionDeps } from '#connections/index';
import type { StoredConfig, StoredSwitch } from '#db/config';
import { listSwitches } from '#db/config';
import { listFields } from '#db/config-field';
import type { StoredField } from '#db/config-field';
import { listPublishedForApp } from '#db/workflow';
import type { StoredWorkflow } from '#db/workflow';
import type { Db, UserDefinedField } from '#db/schema';
import { passesAccessFilter, readAccessFilter } from '#domain/access-filter';
import { isBlank } from '#domain/config-field';
import type { FieldOption } from '#domain/config-field';
import { AppError } from '#domain/errors';
import { isRecord } from '#domain/exact-json';
import type { Tenant } from '#domain/tenant';
import { readDefinition, readOptions } from '#configs/field-definition';
import type { FieldDefinition } from '#configs/field-definition';

export type ConfigDeps = ConnectionDeps;

/** One thing that is wrong with a field: a bad or missing value, or choices that could not be loaded. */
export interface FieldError {
  readonly id: string;
  readonly name: string;
  readonly error: { readonly message: string };
}

export interface ConfigFieldView {
  readonly field: StoredField;
  readonly definition: FieldDefinition;
  readonly value: unknown;
  /** Absent while they are not known: no parent value yet, not asked for, or not loadable. */
  readonly options: readonly FieldOption[] | undefined;
  readonly labels: readonly FieldOption[];
}

export interface ConfigView {
  readonly config: StoredConfig;
  readonly fields: readonly ConfigFieldView[];
  readonly workflows: readonly {
    readonly workflow: StoredWorkflow;
    readonly isEnabled: boolean;
    readonly fields: readonly ConfigFieldView[];
  }[];
  readonly errors: readonly FieldError[];
}

/** A config with everything that gives its parts a meaning, as it is stored now. */
export interface LoadedConfig {
  readonly config: StoredConfig;
  readonly fields: readonly StoredField[];
  readonly workflows: readonly StoredWorkflow[];
  readonly switches: ReadonlyMap<string, StoredSwitch>;
}

/** Only published workflows that are not hidden and let this account in are part of its config. */
export async function loadConfig(db: Db, tenant: Tenant, config: StoredConfig): Promise<LoadedConfig> {
  const [fields, published, switches, account] = await Promise.all([
    listFields(db, tenant, config.app_slug),
    listPublishedForApp(db, tenant, config.app_slug),
    listSwitches(db, tenant, config.id),
    db
      .selectFrom('linked_account')
      .select('udf')
      .where('org_id', '=', tenant.orgId)
      .where('environment', '=', tenant.environment)
      .where('id', '=', config.linked_account_id)
      .executeTakeFirst(),
  ]);
  const udf: readonly UserDefinedField[] = account?.udf ?? [];
  return {
    config,
    fields,
    workflows: published.filter(
      (workflow) =>
        !workflow.is_hidden_in_config && passesAccessFilter(readAccessFilter(workflow.access_filter), udf),
    ),
    switches: new Map(switches.map((row) => [row.workflow_id, row])),
  };
}

/** Whether a workflow runs for this config: as it was switched, or by itself, as an account's own does. */
export function isEnabledIn(loaded: LoadedConfig, workflow: StoredWorkflow): boolean {
  const isByItself = workflow.is_auto_enabled || workflow.linked_account_id !== null;
  return loaded.switches.get(workflow.id)?.is_enabled ?? isByItself;
}

/** Values that are saved for the app's own fields, or for those of one workflow. */
export function valuesOf(loaded: LoadedConfig, workflowId: string | null): Readonly<Record<string, unknown>> {
  return workflowId === null
    ? loaded.config.field_values
    : (loaded.switches.get(workflowId)?.field_values ?? {});
}

/** The config as callers see it. Choices that cannot be loaded are reported and never fail the whole. */
export async function viewConfig(
  deps: ConfigDeps,
  tenant: Tenant,
  loaded: LoadedConfig,
  options: { withOptions: boolean; errors?: readonly FieldError[] },
): Promise<ConfigView> {
  const errors: FieldError[] = [...(options.errors ?? [])];
  const view = async (field: StoredField): Promise<ConfigFieldView> => {
    const shown = await viewField(deps, tenant, loaded, field, options);
    if ('error' in shown) errors.push(shown.error);
    return shown.view;
  };
  const viewAll = (workflowId: string | null) =>
    Promise.all(loaded.fields.filter((field) => field.workflow_id === workflowId).map(view));
  const [fields, ...workflows] = await Promise.all([
    viewAll(null),
    ...loaded.workflows.map(async (workflow) => ({
      workflow,
      isEnabled: isEnabledIn(loaded, workflow),
      fields: await viewAll(workflow.id),
    })),
  ]);
  return { config: loaded.config, fields, workflows, errors };
}

/**
 * One field with its choices.
 *
 * @param options.parentValue - replaces the saved value of the parent: forms ask before they save.
 */
export async function viewField(
  deps: ConfigDeps,
  tenant: Tenant,
  loaded: LoadedConfig,
  field: StoredField,
  options: { withOptions: boolean; parentValue?: unknown },
): Promise<{ view: ConfigFieldView } | { view: ConfigFieldView; error: FieldError }> {
  const definition = readDefinition(field);
  const parentValue = options.parentValue ?? valueOfField(loaded, definition.parent);
  const view: ConfigFieldView = {
    field,
    definition,
    value: valuesOf(loaded, field.workflow_id)[field.id],
    options: undefined,
    labels: labelsOf(definition, loaded.config.labels),
  };
  if (!options.withOptions || (definition.parent !== undefined && isBlank(parentValue))) return { view };
  if (definition.liveOptions === undefined) return { view: { ...view, options: definition.options ?? [] } };
  try {
    return { view: { ...view, options: await liveOptions(deps, tenant, loaded, definition, parentValue) } };
  } catch (error) {
    if (!(error instanceof AppError)) deps.log.warn({ err: error }, 'options of a config field failed');
    const message = error instanceof AppError ? error.message : 'The choices could not be loaded.';
    return { view, error: { id: field.id, name: field.name, error: { message } } };
  }
}

async function liveOptions(
  deps: ConfigDeps,
  tenant: Tenant,
  loaded: LoadedConfig,
  definition: FieldDefinition,
  parentValue: unknown,
): Promise<readonly FieldOption[]> {
  const { config } = loaded;
  const optionsName = definition.liveOptions ?? '';
  const list = deps.connectors.get(config.app_slug)?.options[optionsName];
  // The parent's value stands for the one field that the app's list depends on.
  const params = Object.fromEntries((list?.dependsOn ?? []).map((name) => [name, parentValue]));
  return loadFieldOptions(deps, {
    tenant,
    linkedAccountId: config.linked_account_id,
    slug: config.app_slug,
    optionsName,
    params,
  });
}

function valueOfField(loaded: LoadedConfig, id: string | undefined): unknown {
  const field = loaded.fields.find((candidate) => candidate.id === id);
  return field === undefined ? undefined : valuesOf(loaded, field.workflow_id)[field.id];
}

/** Labels handed over by the caller win: as one list for every map, or by the name of the map's object. */
function labelsOf(definition: FieldDefinition, given: unknown): readonly FieldOption[] {
  if (definition.labelsObject !== undefined) {
    const own = isRecord(given) ? given[definition.labelsObject] : given;
    const list = isRecord(own) ? own['fields'] : own;
    return readOptions(list) ?? definition.labels ?? [];
  }
  return definition.labels ?? [];
}
