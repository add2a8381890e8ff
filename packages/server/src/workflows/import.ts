import { isAppEnabled } from '#db/enabled-app';
import { listFields, insertField, updateFieldRow } from '#db/config-field';
import { findEventByName } from '#db/org-event';
import type { Db } from '#db/schema';
import { tenantTransaction } from '#db/tenant-transaction';
import { findWorkflowByOrigin, setWorkflowOrigin } from '#db/workflow';
import type { StoredWorkflow } from '#db/workflow';
import { definedVariables, findNamed, knownModelProviders } from '#db/workflow-references';
import { AppError } from '#domain/errors';
import { missingSecretProblems, withSecretsOf } from '#domain/literal-secrets';
import type { Tenant } from '#domain/tenant';
import { webhookProblems } from '#domain/webhook-trigger';
import { readWorkflowDocument } from '#domain/workflow-document';
import type { WorkflowDocument } from '#domain/workflow-document';
import type { WorkflowFile, WorkflowNeeds } from '#domain/workflow-file';
import { needsOf } from '#workflows/export';
import { mapReferences, markedName, referencesOf } from '#workflows/references';
import type { ReferenceKind } from '#workflows/references';
import { insertDraft, refusingTakenAlias, writeDraft } from '#workflows/workflows';
import type { WorkflowCaller, WorkflowDeps, WorkflowInput } from '#workflows/workflows';

export interface ImportedWorkflow {
  readonly workflow: StoredWorkflow;
  /** False: a workflow of the same origin was there, and has a new draft. */
  readonly isCreated: boolean;
  /** What the file needs and is not here; `secrets` are to be entered. */
  readonly missing: WorkflowNeeds;
  /** Apps that linked accounts must have connected for it. */
  readonly connects: readonly string[];
}

/**
 * Makes a draft of a file. A workflow that came from the same place, or is that place, gets the draft; its published
 * version goes on until it is published. All or nothing.
 *
 * @param options.asNew - a workflow of its own in any case, with this name and without the alias
 * @throws AppError `workflow_invalid`, `alias_taken`, `app_not_found`, `wrong_state` when the existing one belongs to another app
 */
export async function importWorkflow(
  deps: WorkflowDeps,
  caller: WorkflowCaller,
  file: WorkflowFile,
  options: { readonly asNew?: string | undefined } = {},
): Promise<ImportedWorkflow> {
  try {
    return await importOnce(deps, caller, file, options);
  } catch (error) {
    const { code, constraint } = error as { code?: unknown; constraint?: unknown };
    if (code !== '23505' || constraint !== 'workflow_origin') throw error;
    // The same file was imported at the same moment: now there is a workflow of that origin.
    return importOnce(deps, caller, file, options);
  }
}

async function importOnce(
  deps: WorkflowDeps,
  caller: WorkflowCaller,
  file: WorkflowFile,
  options: { readonly asNew?: string | undefined },
): Promise<ImportedWorkflow> {
  const { tenant } = caller;
  const { workflow: given } = file;
  const isNew = options.asNew !== undefined;
  const alias = isNew ? null : given.alias;
  return refusingTakenAlias(alias, () =>
    tenantTransaction(deps.db, tenant, async (db) => {
      const owner = caller.linkedAccount?.id ?? null;
      const before = isNew ? undefined : await findWorkflowByOrigin(db, tenant, owner, given.id);
      if (before !== undefined && before.app_slug !== given.app) {
        const apps = [before.app_slug, given.app].map((slug) => slug ?? 'no app');
        throw new AppError('wrong_state', {
          reason: `"${before.name}" came from the same place and belongs to ${apps[0]}, the file to ${apps[1]}. Import it as a new workflow.`,
        });
      }
      const read = readWorkflowDocument(given);
      const local = await withIds(db, tenant, owner, read);
      const nodes =
        before === undefined
          ? local.nodes
          : withSecretsOf(readWorkflowDocument(before.draft).nodes, local.nodes);
      const input: WorkflowInput = {
        name: options.asNew ?? given.name,
        description: given.description,
        slug: given.app ?? undefined,
        alias,
        nodes,
        edges: read.edges,
        settings: read.settings,
        jsonSchema: read.json_schema ?? null,
        samplePayload: read.manual_execution_payload ?? null,
        isAutoEnabled: given.auto_enable,
        isHiddenInConfig: given.hide_in_config,
        accessFilter: given.access_filter,
      };
      const written =
        before === undefined
          ? await insertDraft(deps, db, caller, input)
          : await writeDraft(deps, db, caller, before.id, input);
      const workflow =
        before === undefined && !isNew ? await setWorkflowOrigin(db, tenant, written.id, given.id) : written;
      await writeFields(db, tenant, workflow, given.fields);
      const document = readWorkflowDocument(workflow.draft);
      const secrets = [
        ...missingSecretProblems(document.nodes),
        ...webhookProblems(document, 'publish').filter(({ path }) => path.endsWith('.auth.secret')),
      ].map(({ path }) => path);
      const needs = await needsOf(db, tenant, given.app, read, secrets);
      return {
        workflow,
        isCreated: before === undefined,
        missing: await missingOf(deps, db, { tenant, ownerId: owner }, needs, file.needs.variables),
        connects: needs.apps,
      };
    }),
  );
}

/** The document with the ids that the names in it have here; what is not here keeps its mark, and cannot be published. */
async function withIds(
  db: Db,
  tenant: Tenant,
  ownerId: string | null,
  document: WorkflowDocument,
): Promise<WorkflowDocument> {
  const values = referencesOf(document);
  const ids = new Map<string, string>();
  for (const kind of Object.keys(values) as ReferenceKind[]) {
    const names = values[kind].flatMap((value) => markedName(value) ?? []);
    for (const row of await findNamed(db, tenant, kind, names, ownerId))
      ids.set(`${kind} ${row.name}`, row.id);
  }
  return mapReferences(document, (kind, value) => {
    const name = markedName(value);
    return name === undefined ? value : (ids.get(`${kind} ${name}`) ?? value);
  });
}

/** Fields are found again by their name. Those that the file does not have stay: accounts may have values in them. */
async function writeFields(
  db: Db,
  tenant: Tenant,
  workflow: StoredWorkflow,
  fields: WorkflowFile['workflow']['fields'],
): Promise<void> {
  const { app_slug: appSlug } = workflow;
  if (appSlug === null) return;
  const all = await listFields(db, tenant, appSlug);
  const idByName = new Map(
    all.filter((field) => field.workflow_id === null).map(({ name, id }) => [name, id]),
  );
  for (const { name, id, workflow_id } of all) if (workflow_id === workflow.id) idByName.set(name, id);
  const own = new Map(
    all.filter((field) => field.workflow_id === workflow.id).map(({ name, id }) => [name, id]),
  );
  // A parent may come after its child: first all of them, then who belongs to whom.
  for (const pass of ['rows', 'parents'] as const) {
    for (const field of fields) {
      const { parent, ...rest } = field.definition;
      const parentName = typeof parent === 'string' ? (markedName(parent) ?? parent) : undefined;
      const parentId = pass === 'parents' && parentName !== undefined ? idByName.get(parentName) : undefined;
      const values = {
        name: field.name,
        fieldType: field.field_type,
        position: field.position,
        isRequired: field.is_required,
        isMultiple: field.is_multiple,
        isHidden: field.is_hidden,
        definition: parentId === undefined ? rest : { ...rest, parent: parentId },
      };
      const known = own.get(field.name);
      const row =
        known === undefined
          ? await insertField(db, tenant, { appSlug, workflowId: workflow.id }, values)
          : await updateFieldRow(db, tenant, known, values);
      if (row !== undefined) {
        own.set(row.name, row.id);
        idByName.set(row.name, row.id);
      }
    }
  }
}

/** Of what is needed, what is not here. */
async function missingOf(
  deps: Pick<WorkflowDeps, 'connectors'>,
  db: Db,
  { tenant, ownerId }: { readonly tenant: Tenant; readonly ownerId: string | null },
  needs: WorkflowNeeds,
  alsoVariables: readonly string[],
): Promise<WorkflowNeeds> {
  const without = async (kind: ReferenceKind, names: readonly string[]): Promise<string[]> => {
    const rows = await findNamed(db, tenant, kind, names, ownerId);
    return names.filter(
      (name) => !rows.some((row) => [row.name, row.alias, row.id, row.draftId].includes(name)),
    );
  };
  const variables = [...new Set([...needs.variables, ...alsoVariables])].toSorted();
  const defined = await definedVariables(db, tenant.orgId, variables);
  const providers = await knownModelProviders(db, tenant, needs.model_providers);
  const events: string[] = [];
  for (const name of needs.events) {
    if ((await findEventByName(db, tenant, name)) === undefined) events.push(name);
  }
  const apps: string[] = [];
  for (const slug of needs.apps) {
    if (!deps.connectors.has(slug) || !(await isAppEnabled(db, tenant, slug))) apps.push(slug);
  }
  return {
    apps,
    events,
    functions: await without('function', needs.functions),
    tables: await without('table', needs.tables),
    queues: await without('queue', needs.queues),
    polling_triggers: await without('polling_trigger', needs.polling_triggers),
    workflows: await without('workflow', needs.workflows),
    variables: variables.filter((name) => !defined.includes(name)),
    model_providers: needs.model_providers.filter((name) => !providers.includes(name)),
    secrets: needs.secrets,
  };
}
