import { listFields } from '#db/config-field';
import type { StoredField } from '#db/config-field';
import type { Db } from '#db/schema';
import { findVersion } from '#db/workflow';
import type { StoredWorkflow } from '#db/workflow';
import { definedVariables, findNamed } from '#db/workflow-references';
import { readAccessFilter } from '#domain/access-filter';
import { isRecord } from '#domain/exact-json';
import { withoutSecrets } from '#domain/literal-secrets';
import type { Tenant } from '#domain/tenant';
import { withoutTriggerSecret } from '#domain/webhook-trigger';
import { workflowFileFormat, workflowFileVersion } from '#domain/workflow-file';
import type { WorkflowFile, WorkflowFileField, WorkflowNeeds } from '#domain/workflow-file';
import { readWorkflowDocument } from '#domain/workflow-document';
import type { WorkflowDocument, WorkflowNode } from '#domain/workflow-document';
import { mapReferences, marked, namedNeeds, referencesOf } from '#workflows/references';
import type { ReferenceKind } from '#workflows/references';
import { getWorkflow } from '#workflows/workflows';
import type { WorkflowCaller, WorkflowDeps } from '#workflows/workflows';

/**
 * A workflow as a file that can be imported elsewhere: what is published, or the draft while nothing is. Ids of what
 * it names become names; secrets stay here.
 *
 * @param options.isDraft - the draft even when something is published
 * @throws AppError as `getWorkflow`
 */
export async function exportWorkflow(
  deps: Pick<WorkflowDeps, 'db'>,
  caller: WorkflowCaller,
  id: string,
  options: { readonly isDraft?: boolean } = {},
): Promise<WorkflowFile> {
  const row = await getWorkflow(deps, caller, id, 'change');
  const { tenant } = caller;
  const version =
    row.published_version === null || options.isDraft === true
      ? undefined
      : await findVersion(deps.db, tenant, row.id, row.published_version);
  const document = readWorkflowDocument(version?.document ?? row.draft);
  const portable = await withNames(deps.db, tenant, row.linked_account_id, document);
  const { nodes, paths } = withoutSecrets(portable.nodes);
  const trigger = withoutTriggerSecret({ ...portable, nodes });
  return {
    format: workflowFileFormat,
    format_version: workflowFileVersion,
    workflow: {
      id: row.origin_id ?? row.id,
      name: row.name,
      description: row.description,
      app: row.app_slug,
      alias: row.alias,
      auto_enable: row.is_auto_enabled,
      hide_in_config: row.is_hidden_in_config,
      access_filter: filterOf(row),
      nodes: trigger.document.nodes.map(withoutPinnedVersion),
      edges: [...document.edges],
      settings: { ...document.settings },
      ...(document.json_schema !== undefined && { json_schema: document.json_schema }),
      ...(document.manual_execution_payload !== undefined && {
        manual_execution_payload: document.manual_execution_payload,
      }),
      fields: await fieldsOf(deps.db, tenant, row),
    },
    needs: await needsOf(deps.db, tenant, row.app_slug, portable, [
      ...paths,
      ...(trigger.path === undefined ? [] : [trigger.path]),
    ]),
  };
}

/** The document with the names of what its nodes name by id; a table is named as its node may name it too. */
async function withNames(
  db: Db,
  tenant: Tenant,
  ownerId: string | null,
  document: WorkflowDocument,
): Promise<WorkflowDocument> {
  const ids = referencesOf(document);
  const names = new Map<string, string>();
  for (const kind of Object.keys(ids) as ReferenceKind[]) {
    for (const row of await findNamed(db, tenant, kind, ids[kind], ownerId)) {
      // An alias and the name of a queue mean the same everywhere.
      for (const id of [row.id, row.draftId]) {
        if (id !== undefined && ids[kind].includes(id)) names.set(`${kind} ${id}`, row.name);
      }
    }
  }
  const named = mapReferences(document, (kind, value) => {
    const name = names.get(`${kind} ${value}`);
    if (name === undefined) return value;
    return kind === 'queue' ? name : marked(name);
  });
  return { ...named, nodes: named.nodes.map(withTableName) };
}

function withTableName(node: WorkflowNode): WorkflowNode {
  const { table_id: id, ...data } = node.data;
  if (node.node_type !== 'table' || typeof id !== 'string' || !id.startsWith(marked(''))) return node;
  return { ...node, data: { ...data, table_name: id.slice(marked('').length) } };
}

/** Publishing writes it; elsewhere it is another number. */
function withoutPinnedVersion(node: WorkflowNode): WorkflowNode {
  if (node.node_type !== 'function') return node;
  const { function_version: _pinned, ...data } = node.data;
  return { ...node, data };
}

/** What a portable document needs, all by name. */
export async function needsOf(
  db: Db,
  tenant: Tenant,
  appSlug: string | null,
  document: WorkflowDocument,
  secrets: readonly string[],
): Promise<WorkflowNeeds> {
  const references = referencesOf(document);
  const named = namedNeeds(appSlug, document);
  const plain = (values: readonly string[]): string[] =>
    values.map((value) => (value.startsWith(marked('')) ? value.slice(marked('').length) : value)).toSorted();
  const bare = await definedVariables(db, tenant.orgId, named.bareNames);
  return {
    apps: named.apps,
    events: named.events,
    functions: plain(references.function),
    tables: named.tables,
    queues: plain(references.queue),
    polling_triggers: plain(references.polling_trigger),
    workflows: plain(references.workflow),
    variables: [...new Set([...named.variables, ...bare])].toSorted(),
    model_providers: named.modelProviders,
    secrets: [...secrets],
  };
}

function filterOf(row: StoredWorkflow): WorkflowFile['workflow']['access_filter'] {
  const filter = readAccessFilter(row.access_filter);
  return filter && { match: filter.match, conditions: [...filter.conditions] };
}

/** The config fields of the workflow; a parent is named by its name. */
async function fieldsOf(db: Db, tenant: Tenant, row: StoredWorkflow): Promise<WorkflowFileField[]> {
  if (row.app_slug === null) return [];
  const all = await listFields(db, tenant, row.app_slug);
  const own = all.filter((field) => field.workflow_id === row.id);
  return own.map((field, position) => ({
    name: field.name,
    field_type: field.field_type as WorkflowFileField['field_type'],
    position,
    is_required: field.is_required,
    is_multiple: field.is_multiple,
    is_hidden: field.is_hidden,
    definition: definitionOf(field, all),
  }));
}

function definitionOf(field: StoredField, all: readonly StoredField[]): Record<string, unknown> {
  const { definition } = field;
  const parent = all.find(({ id }) => id === definition['parent']);
  return isRecord(definition) && parent !== undefined
    ? { ...definition, parent: marked(parent.name) }
    : { ...definition };
}
