import type { Pool } from 'pg';
import { groupCommit, type GroupCommit } from '#db/group-commit';
import type { Tenant } from '#domain/tenant';

/** A workflow as the execute door needs it. */
export interface ExecutableWorkflow {
  readonly id: string;
  /** It was asked for by its alias, which is unique inside an app only. */
  readonly isByAlias: boolean;
  readonly linkedAccountId: string | null;
  readonly slug: string | null;
  readonly version: number | null;
  /** What payloads must fit, when the published version says so. */
  readonly jsonSchema: Readonly<Record<string, unknown>> | undefined;
}

interface Row {
  /** Of the question, from 1. */
  readonly number: number;
  readonly id: string;
  readonly linked_account_id: string | null;
  readonly app_slug: string | null;
  readonly published_version: number | null;
  readonly is_by_alias: boolean;
  readonly json_schema: Readonly<Record<string, unknown>> | null;
}

/** `idOrAlias`: its id, its draft's id or its alias; without `slug`, any of those with the alias. */
export interface WorkflowQuestion {
  readonly tenant: Tenant;
  readonly idOrAlias: string;
  readonly slug: string | undefined;
}

/**
 * Finds workflows for many calls at once: what is asked while one reading is on its way goes together in the next, the
 * same question once. Each answer is as young as its question.
 */
export function executableWorkflows(
  pool: Pool,
): GroupCommit<WorkflowQuestion, ExecutableWorkflow | undefined> {
  return groupCommit((questions) => findAll(pool, questions), largestReading, { isEager: true });
}

const largestReading = 200;

/** Finds one workflow. */
export async function findExecutableWorkflow(
  pool: Pool,
  tenant: Tenant,
  idOrAlias: string,
  slug: string | undefined,
): Promise<ExecutableWorkflow | undefined> {
  const [found] = await findAll(pool, [{ tenant, idOrAlias, slug }]);
  return found;
}

async function findAll(
  pool: Pool,
  questions: readonly WorkflowQuestion[],
): Promise<(ExecutableWorkflow | undefined)[]> {
  const keys = questions.map(({ tenant, idOrAlias }) =>
    [tenant.orgId, tenant.environment, idOrAlias].join('/'),
  );
  const distinct = [...new Map(questions.map((question, index) => [keys[index]!, question] as const))];
  const { rows } = await pool.query<Row>({
    name: 'executable_workflows',
    text: `select q.number::int, w.id, w.linked_account_id, w.app_slug, w.published_version,
             w.id <> q.asked and w.draft_id <> q.asked as is_by_alias,
             v.document -> 'json_schema' as json_schema
           from unnest($1::text[], $2::text[], $3::text[]) with ordinality as q(org_id, environment, asked, number)
           cross join lateral (
             select * from workflow w
             where w.org_id = q.org_id and w.environment = q.environment
               and (w.id = q.asked or w.draft_id = q.asked or w.alias = q.asked)
             limit 20) w
           left join workflow_version v on v.workflow_id = w.id and v.version = w.published_version`,
    values: [
      distinct.map(([, { tenant }]) => tenant.orgId),
      distinct.map(([, { tenant }]) => tenant.environment),
      distinct.map(([, { idOrAlias }]) => idOrAlias),
    ],
  });
  const byNumber = Map.groupBy(rows, (row) => row.number);
  const found = new Map(distinct.map(([key], index) => [key, byNumber.get(index + 1) ?? []] as const));
  return questions.map(({ slug }, index) => chosen(found.get(keys[index]!) ?? [], slug));
}

function chosen(rows: readonly Row[], slug: string | undefined): ExecutableWorkflow | undefined {
  const matches = rows.filter((row) => slug === undefined || row.app_slug === null || row.app_slug === slug);
  const row = matches.find((match) => !match.is_by_alias) ?? matches[0];
  return (
    row && {
      id: row.id,
      isByAlias: row.is_by_alias,
      linkedAccountId: row.linked_account_id,
      slug: row.app_slug,
      version: row.published_version,
      jsonSchema: row.json_schema ?? undefined,
    }
  );
}
