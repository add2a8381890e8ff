import { isDeepStrictEqual } from 'node:util';
import { isAppEnabled } from '#db/enabled-app';
import type { Author, Db } from '#db/schema';
import { tenantTransaction } from '#db/tenant-transaction';
import { deriveTriggers } from '#db/trigger-registration';
import {
  deleteWorkflowRow,
  findLatestVersion,
  findVersion,
  findWorkflow,
  insertVersion,
  insertWorkflow,
  setPublished,
  updateWorkflow,
} from '#db/workflow';
import type { StoredWorkflow, WorkflowChanges } from '#db/workflow';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import type { FieldProblem } from '#domain/errors';
import { newId } from '#domain/ids';
import { missingSecretProblems } from '#domain/literal-secrets';
import type { LinkedAccountRef } from '#domain/linked-account';
import { pinFunctions } from '#functions/index';
import type { Tenant } from '#domain/tenant';
import { validateWorkflow } from '#domain/workflow-checks';
import type { NodeTypes } from '#domain/workflow-checks';
import {
  emptyWorkflowDocument,
  readWorkflowDocument,
  retireNodes,
  startNodeId,
  startOf,
  triggerOf,
} from '#domain/workflow-document';
import type { WorkflowDocument } from '#domain/workflow-document';
import { readAccessFilter } from '#domain/access-filter';
import { takeTriggerSecrets, webhookProblems } from '#domain/webhook-trigger';
import type { Vault } from '#vault/index';
import { customerProblems } from '#workflows/customer-limits';
import { type AppTriggers, listenedEvent, triggerProblems } from '#workflows/trigger-checks';
import { storeTriggerSecrets } from '#workflows/trigger-secrets';

export interface WorkflowDeps {
  readonly db: Db;
  /** What the checks must know of the node types; the engine's registry. */
  readonly nodeTypes: NodeTypes;
  readonly clock: Clock;
  /** Seals what callers of webhook URLs prove themselves with. */
  readonly vault: Pick<Vault, 'seal'>;
  readonly connectors: AppTriggers;
}

/** Who acts on workflows: the SaaS company, perhaps for one account, or that account itself. */
export interface WorkflowCaller {
  readonly tenant: Tenant;
  readonly linkedAccount?: LinkedAccountRef | undefined;
  /** A session token: an end customer, who may change what is its own and nothing else. */
  readonly isCustomer: boolean;
  /** Kept with what is published. */
  readonly author?: Author | undefined;
}

export interface WorkflowInput {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly slug?: string | undefined;
  readonly alias?: string | null | undefined;
  readonly nodes?: unknown;
  readonly edges?: unknown;
  readonly settings?: unknown;
  readonly jsonSchema?: unknown;
  readonly samplePayload?: unknown;
  readonly isAutoEnabled?: boolean | undefined;
  readonly isHiddenInConfig?: boolean | undefined;
  readonly accessFilter?: unknown;
  readonly accessFilterOperator?: unknown;
  /** Belongs to the acting account rather than to the organisation. */
  readonly isPrivate?: boolean | undefined;
}

/**
 * Makes a workflow with its start node. It belongs to the acting account when there is one.
 *
 * @throws AppError `missing_field`, `app_not_found`, `workflow_invalid`, `alias_taken`.
 */
export async function createWorkflow(
  deps: WorkflowDeps,
  caller: WorkflowCaller,
  input: WorkflowInput,
): Promise<StoredWorkflow> {
  return refusingTakenAlias(input.alias, () =>
    tenantTransaction(deps.db, caller.tenant, (transaction) => insertDraft(deps, transaction, caller, input)),
  );
}

/** {@link createWorkflow} in the caller's transaction; a taken alias is the caller's to explain. */
export async function insertDraft(
  deps: WorkflowDeps,
  db: Db,
  caller: WorkflowCaller,
  input: WorkflowInput,
): Promise<StoredWorkflow> {
  const name = readName(input.name);
  if (input.slug !== undefined && !(await isAppEnabled(db, caller.tenant, input.slug))) {
    throw new AppError('app_not_found', { slug: input.slug, orgId: caller.tenant.orgId });
  }
  const written = editDocument(emptyWorkflowDocument(), input);
  const { document, secrets } = takeTriggerSecrets(undefined, written, newId);
  assertValid([
    ...draftProblems(deps, document),
    ...(caller.isCustomer ? await customerProblems(db, caller.tenant, document) : []),
  ]);
  const row = await insertWorkflow(db, caller.tenant, {
    name,
    description: input.description ?? '',
    appSlug: input.slug ?? null,
    linkedAccountId: caller.linkedAccount?.id ?? null,
    alias: input.alias ?? null,
    document,
    isAutoEnabled: input.isAutoEnabled ?? false,
    isHiddenInConfig: input.isHiddenInConfig ?? false,
    accessFilter: readAccessFilter(input.accessFilter, input.accessFilterOperator),
  });
  await storeTriggerSecrets(deps, db, row, secrets);
  return row;
}

/**
 * A workflow by either of its ids.
 *
 * @param purpose - `change` refuses a customer the organisation's own workflows.
 * @throws AppError `workflow_not_found`; `workflow_forbidden` for another account's.
 */
export async function getWorkflow(
  deps: Pick<WorkflowDeps, 'db'>,
  caller: WorkflowCaller,
  id: string,
  purpose: 'read' | 'change' = 'read',
): Promise<StoredWorkflow> {
  return permit(caller, await findWorkflow(deps.db, caller.tenant, id), id, purpose);
}

/**
 * Changes name, settings or the draft's nodes and edges (wholesale). The published version is not touched.
 *
 * @param revision - the draft that the change was made on; another one now is a conflict.
 * @throws AppError `workflow_changed`, `workflow_invalid`, `alias_taken`, and as `getWorkflow`.
 */
export async function changeWorkflow(
  deps: WorkflowDeps,
  caller: WorkflowCaller,
  id: string,
  input: WorkflowInput,
  revision?: number,
): Promise<StoredWorkflow> {
  return refusingTakenAlias(input.alias, () =>
    tenantTransaction(deps.db, caller.tenant, (transaction) =>
      writeDraft(deps, transaction, caller, id, input, revision),
    ),
  );
}

/** {@link changeWorkflow} in the caller's transaction; a taken alias is the caller's to explain. */
export async function writeDraft(
  deps: WorkflowDeps,
  db: Db,
  caller: WorkflowCaller,
  id: string,
  input: WorkflowInput,
  revision?: number,
): Promise<StoredWorkflow> {
  const found = await findWorkflow(db, caller.tenant, id, { lock: true });
  const before = permit(caller, found, id, 'change');
  if (revision !== undefined && revision !== before.draft_revision) {
    throw new AppError('workflow_changed', { id, revision: before.draft_revision });
  }
  const draft = readWorkflowDocument(before.draft);
  const { document, secrets } = takeTriggerSecrets(draft, editDocument(draft, input), newId);
  assertValid([
    ...draftProblems(deps, document),
    ...(caller.isCustomer ? await customerProblems(db, caller.tenant, document) : []),
  ]);
  await storeTriggerSecrets(deps, db, before, secrets);
  const changes: WorkflowChanges = {
    document,
    ...(input.name === undefined ? {} : { name: readName(input.name) }),
    ...(input.description === undefined ? {} : { description: input.description }),
    ...(input.alias === undefined ? {} : { alias: input.alias }),
    ...(input.isAutoEnabled === undefined ? {} : { isAutoEnabled: input.isAutoEnabled }),
    ...(input.isHiddenInConfig === undefined ? {} : { isHiddenInConfig: input.isHiddenInConfig }),
    ...(input.accessFilter === undefined
      ? {}
      : { accessFilter: readAccessFilter(input.accessFilter, input.accessFilterOperator) }),
  };
  const after = await updateWorkflow(db, caller.tenant, before.id, changes);
  if (changes.isAutoEnabled !== undefined) {
    await deriveTriggers(db, { tenant: caller.tenant, workflowId: before.id });
  }
  return after;
}

/**
 * Makes the draft the version that runs. Publishing an unchanged draft again changes nothing; a number that
 * exists restores that version, one that does not becomes the number of the new one.
 *
 * @throws AppError `workflow_invalid` with everything that keeps it from going live.
 */
export async function publishWorkflow(
  deps: WorkflowDeps,
  caller: WorkflowCaller,
  id: string,
  options: { version?: number | undefined; description?: string | undefined } = {},
): Promise<StoredWorkflow> {
  return tenantTransaction(deps.db, caller.tenant, async (transaction) => {
    const found = await findWorkflow(transaction, caller.tenant, id, { lock: true });
    const workflow = permit(caller, found, id, 'change');
    const { tenant } = caller;
    const asked =
      options.version === undefined
        ? undefined
        : await findVersion(transaction, tenant, workflow.id, options.version);
    const frozen = readWorkflowDocument(asked?.document ?? workflow.draft);
    const functions = await pinFunctions(transaction, tenant, frozen.nodes);
    // A version that is restored keeps the functions that it was published with.
    const document = asked === undefined ? { ...frozen, nodes: functions.nodes } : frozen;
    assertValid([
      ...validateWorkflow(document, deps.nodeTypes, 'publish'),
      ...(await triggerProblems(deps, transaction, workflow, document)),
      ...functions.problems,
      ...missingSecretProblems(document.nodes),
    ]);
    if (asked !== undefined) return goLive(transaction, workflow, document, asked.version);
    const latest = await findLatestVersion(transaction, tenant, workflow.id);
    const isUnchanged =
      latest !== undefined &&
      options.version === undefined &&
      isDeepStrictEqual(readWorkflowDocument(latest.document), document);
    const version = isUnchanged ? latest.version : (options.version ?? (latest?.version ?? 0) + 1);
    if (!isUnchanged) {
      const description = options.description ?? null;
      const { author } = caller;
      await insertVersion(transaction, tenant, {
        workflowId: workflow.id,
        version,
        document,
        description,
        author,
      });
    }
    return goLive(transaction, workflow, document, version);
  });
}

/** Makes a version the one that runs, with the schedules and polls that follow from it. */
async function goLive(
  db: Db,
  before: StoredWorkflow,
  document: WorkflowDocument,
  version: number,
): Promise<StoredWorkflow> {
  const tenant: Tenant = { orgId: before.org_id, environment: before.environment };
  const trigger = { ...triggerOf(document), node_id: startOf(document)?.id ?? startNodeId };
  const event = listenedEvent(before.app_slug, trigger);
  const workflow = await setPublished(db, tenant, before.id, { version, trigger, event });
  await deriveTriggers(db, { tenant, workflowId: before.id });
  return workflow;
}

/** Takes the workflow out of service: nothing starts it any more. Running executions go on. */
export async function unpublishWorkflow(
  deps: Pick<WorkflowDeps, 'db'>,
  caller: WorkflowCaller,
  id: string,
): Promise<StoredWorkflow> {
  return tenantTransaction(deps.db, caller.tenant, async (transaction) => {
    const found = await findWorkflow(transaction, caller.tenant, id, { lock: true });
    const workflow = permit(caller, found, id, 'change');
    const after = await setPublished(transaction, caller.tenant, workflow.id, null);
    await deriveTriggers(transaction, { tenant: caller.tenant, workflowId: workflow.id });
    return after;
  });
}

/** Deletes a workflow with its draft, versions and switches. Running executions keep their version. */
export async function deleteWorkflow(
  deps: Pick<WorkflowDeps, 'db'>,
  caller: WorkflowCaller,
  id: string,
): Promise<void> {
  await tenantTransaction(deps.db, caller.tenant, async (transaction) => {
    const found = await findWorkflow(transaction, caller.tenant, id, { lock: true });
    await deleteWorkflowRow(transaction, caller.tenant, permit(caller, found, id, 'change').id);
  });
}

function permit(
  caller: WorkflowCaller,
  workflow: StoredWorkflow | undefined,
  id: string,
  purpose: 'read' | 'change',
): StoredWorkflow {
  if (workflow === undefined) throw new AppError('workflow_not_found', { id });
  const owner = workflow.linked_account_id;
  const isForeign = owner !== null && caller.linkedAccount !== undefined && owner !== caller.linkedAccount.id;
  const isOrganisations = owner === null && caller.isCustomer && purpose === 'change';
  if (isForeign || isOrganisations) throw new AppError('workflow_forbidden', { id });
  return workflow;
}

function editDocument(before: WorkflowDocument, input: WorkflowInput): WorkflowDocument {
  const after = readWorkflowDocument({
    nodes: input.nodes ?? before.nodes,
    edges: input.edges ?? before.edges,
    settings: input.settings ?? before.settings,
    json_schema: input.jsonSchema === undefined ? before.json_schema : input.jsonSchema,
    manual_execution_payload:
      input.samplePayload === undefined ? before.manual_execution_payload : input.samplePayload,
  });
  return retireNodes(before, after);
}

function draftProblems({ nodeTypes }: WorkflowDeps, document: WorkflowDocument): FieldProblem[] {
  return [...validateWorkflow(document, nodeTypes, 'draft'), ...webhookProblems(document, 'draft')];
}

function readName(name: string | undefined): string {
  const trimmed = name?.trim() ?? '';
  if (trimmed === '') throw new AppError('missing_field', { field: 'name' });
  if (trimmed.length > 200) {
    throw new AppError('invalid_request', {
      problems: [{ path: 'name', message: 'at most 200 characters' }],
    });
  }
  return trimmed;
}

function assertValid(problems: readonly FieldProblem[]): void {
  if (problems.length > 0) throw new AppError('workflow_invalid', { problems });
}

/** The index decides about aliases, so that two who save at once cannot both have one. */
export async function refusingTakenAlias<T>(
  alias: string | null | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, constraint } = error as { code?: unknown; constraint?: unknown };
    if (code === '23505' && constraint === 'workflow_alias_key') {
      throw new AppError('alias_taken', { alias: alias ?? '' }, { cause: error });
    }
    throw error;
  }
}
