import { sql, type Selectable } from 'kysely';
import type { Author, Db, WorkflowTable, WorkflowVersionTable } from '#db/schema';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import type { WorkflowDocument, WorkflowTrigger } from '#domain/workflow-document';

export type StoredWorkflow = Selectable<WorkflowTable>;
export type StoredVersion = Selectable<WorkflowVersionTable>;

/** Values of a new workflow. */
export interface NewWorkflow {
  readonly name: string;
  readonly description: string;
  readonly appSlug: string | null;
  readonly linkedAccountId: string | null;
  readonly alias: string | null;
  readonly document: WorkflowDocument;
  readonly isAutoEnabled: boolean;
  readonly isHiddenInConfig: boolean;
  readonly accessFilter: unknown;
}

/** What an edit may change; absent members stay. */
export type WorkflowChanges = Partial<Omit<NewWorkflow, 'linkedAccountId' | 'appSlug'>>;

export function insertWorkflow(db: Db, tenant: Tenant, values: NewWorkflow): Promise<StoredWorkflow> {
  return db
    .insertInto('workflow')
    .values({
      id: newId(),
      draft_id: newId(),
      org_id: tenant.orgId,
      environment: tenant.environment,
      linked_account_id: values.linkedAccountId,
      app_slug: values.appSlug,
      alias: values.alias,
      name: values.name,
      description: values.description,
      draft: JSON.stringify(values.document),
      published_version: null,
      is_auto_enabled: values.isAutoEnabled,
      is_hidden_in_config: values.isHiddenInConfig,
      access_filter: values.accessFilter === null ? null : JSON.stringify(values.accessFilter),
      trigger_kind: null,
      trigger_event: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

function workflowsOf(db: Db, tenant: Tenant) {
  return db
    .selectFrom('workflow')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment);
}

/** Finds a workflow by its id or by the id of its draft: clients hold either. */
export function findWorkflow(
  db: Db,
  tenant: Tenant,
  id: string,
  options: { lock?: boolean } = {},
): Promise<StoredWorkflow | undefined> {
  return workflowsOf(db, tenant)
    .selectAll()
    .where((eb) => eb.or([eb('id', '=', id), eb('draft_id', '=', id)]))
    .$if(options.lock === true, (query) => query.forUpdate())
    .executeTakeFirst();
}

/** The workflow of an owner (null: the organisation) that a file came from, or that was made of it. Locks it. */
export function findWorkflowByOrigin(
  db: Db,
  tenant: Tenant,
  ownerId: string | null,
  originId: string,
): Promise<StoredWorkflow | undefined> {
  return workflowsOf(db, tenant)
    .selectAll()
    .where('linked_account_id', 'is not distinct from', ownerId)
    .where((eb) =>
      eb.or([eb('origin_id', '=', originId), eb.and([eb('id', '=', originId), eb('origin_id', 'is', null)])]),
    )
    .forUpdate()
    .executeTakeFirst();
}

export function setWorkflowOrigin(
  db: Db,
  tenant: Tenant,
  id: string,
  originId: string,
): Promise<StoredWorkflow> {
  return db
    .updateTable('workflow')
    .set({ origin_id: originId })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** The name of the workflow of an app (null: of none) that has an alias. */
export async function findAliasHolder(
  db: Db,
  tenant: Tenant,
  of: { readonly alias: string; readonly appSlug: string | null; readonly exceptId?: string | undefined },
): Promise<string | undefined> {
  const row = await workflowsOf(db, tenant)
    .select('name')
    .where('alias', '=', of.alias)
    .where('app_slug', 'is not distinct from', of.appSlug)
    .$if(of.exceptId !== undefined, (query) =>
      query.where('id', '<>', of.exceptId ?? '').where('draft_id', '<>', of.exceptId ?? ''),
    )
    .executeTakeFirst();
  return row?.name;
}

export function updateWorkflow(
  db: Db,
  tenant: Tenant,
  id: string,
  changes: WorkflowChanges,
): Promise<StoredWorkflow> {
  const { document, accessFilter } = changes;
  return db
    .updateTable('workflow')
    .set({
      ...(changes.name === undefined ? {} : { name: changes.name }),
      ...(changes.description === undefined ? {} : { description: changes.description }),
      ...(changes.alias === undefined ? {} : { alias: changes.alias }),
      ...(changes.isAutoEnabled === undefined ? {} : { is_auto_enabled: changes.isAutoEnabled }),
      ...(changes.isHiddenInConfig === undefined ? {} : { is_hidden_in_config: changes.isHiddenInConfig }),
      ...(accessFilter === undefined
        ? {}
        : { access_filter: accessFilter === null ? null : JSON.stringify(accessFilter) }),
      ...(document === undefined ? {} : { draft: JSON.stringify(document) }),
      draft_revision: sql<number>`draft_revision + 1`,
      updated_at: sql<Date>`now()`,
    })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Makes a version the one that runs, or none; the trigger columns follow in the same statement. */
export function setPublished(
  db: Db,
  tenant: Tenant,
  id: string,
  published: {
    version: number;
    trigger: WorkflowTrigger & { readonly node_id: string };
    /** What it is found by when something happens. */
    event: string | null;
  } | null,
): Promise<StoredWorkflow> {
  return db
    .updateTable('workflow')
    .set({
      published_version: published?.version ?? null,
      trigger_kind: published?.trigger.kind ?? null,
      trigger_event: published?.event ?? null,
      trigger: published === null ? null : JSON.stringify(published.trigger),
      updated_at: sql<Date>`now()`,
    })
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

export async function deleteWorkflowRow(db: Db, tenant: Tenant, id: string): Promise<void> {
  await db
    .deleteFrom('workflow')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('id', '=', id)
    .execute();
}

export async function insertVersion(
  db: Db,
  tenant: Tenant,
  version: {
    workflowId: string;
    version: number;
    document: WorkflowDocument;
    description: string | null;
    author: Author | undefined;
  },
): Promise<void> {
  await db
    .insertInto('workflow_version')
    .values({
      id: newId(),
      org_id: tenant.orgId,
      environment: tenant.environment,
      workflow_id: version.workflowId,
      version: version.version,
      document: JSON.stringify(version.document),
      description: version.description,
      author: version.author === undefined ? null : JSON.stringify(version.author),
    })
    .execute();
}

export function findVersion(
  db: Db,
  tenant: Tenant,
  workflowId: string,
  version: number,
): Promise<StoredVersion | undefined> {
  return versionsOf(db, tenant, workflowId).selectAll().where('version', '=', version).executeTakeFirst();
}

export function findLatestVersion(
  db: Db,
  tenant: Tenant,
  workflowId: string,
): Promise<StoredVersion | undefined> {
  return versionsOf(db, tenant, workflowId).selectAll().orderBy('version', 'desc').executeTakeFirst();
}

export async function listVersions(
  db: Db,
  tenant: Tenant,
  workflowId: string,
  page: { page: number; limit: number },
) {
  const query = versionsOf(db, tenant, workflowId);
  const [rows, count] = await Promise.all([
    query
      .select(['id', 'version', 'description', 'author', 'created_at'])
      .orderBy('version', 'desc')
      .limit(page.limit)
      .offset((page.page - 1) * page.limit)
      .execute(),
    query.select((eb) => eb.fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
  ]);
  return { rows, total: Number(count.total) };
}

function versionsOf(db: Db, tenant: Tenant, workflowId: string) {
  return db
    .selectFrom('workflow_version')
    .where('org_id', '=', tenant.orgId)
    .where('environment', '=', tenant.environment)
    .where('workflow_id', '=', workflowId);
}

export interface WorkflowFilter {
  /** Record id: this account's own workflows. `null`: those of the organisation. `undefined`: all. */
  readonly ownerId?: string | null | undefined;
  /** Only workflows that belong to some account. */
  readonly isPrivate?: boolean | undefined;
  readonly slugs?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly isPublished?: boolean | undefined;
  readonly from?: Date | undefined;
  readonly until?: Date | undefined;
}

/** One page of workflows, newest first, without their documents. */
export async function listWorkflows(
  db: Db,
  tenant: Tenant,
  filter: WorkflowFilter,
  page: { page: number; limit: number },
) {
  let query = workflowsOf(db, tenant);
  if (filter.ownerId === null) query = query.where('linked_account_id', 'is', null);
  else if (filter.ownerId !== undefined) query = query.where('linked_account_id', '=', filter.ownerId);
  if (filter.isPrivate === true) query = query.where('linked_account_id', 'is not', null);
  if (filter.slugs !== undefined) query = query.where('app_slug', 'in', [...filter.slugs, '']);
  if (filter.name !== undefined) {
    query = query.where(sql<boolean>`position(lower(${filter.name}) in lower(name)) > 0`);
  }
  if (filter.isPublished !== undefined) {
    query = query.where('published_version', filter.isPublished ? 'is not' : 'is', null);
  }
  if (filter.from !== undefined) query = query.where('created_at', '>=', filter.from);
  if (filter.until !== undefined) query = query.where('created_at', '<=', filter.until);
  const [rows, count] = await Promise.all([
    query
      .selectAll()
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(page.limit)
      .offset((page.page - 1) * page.limit)
      .execute(),
    query.select((eb) => eb.fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
  ]);
  return { rows, total: Number(count.total) };
}

/** Published workflows of the organisation for one app, in the order that configs show them. */
export function listPublishedForApp(db: Db, tenant: Tenant, appSlug: string): Promise<StoredWorkflow[]> {
  return workflowsOf(db, tenant)
    .selectAll()
    .where('app_slug', '=', appSlug)
    .where('linked_account_id', 'is', null)
    .where('published_version', 'is not', null)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
}
