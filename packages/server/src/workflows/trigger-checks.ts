import type { Duration } from '@inlay/connectors/kit';
import { findEventByName } from '#db/org-event';
import type { Db } from '#db/schema';
import { hasTriggerSecret } from '#db/trigger-secret';
import type { StoredWorkflow } from '#db/workflow';
import type { Clock } from '#domain/clock';
import type { FieldProblem } from '#domain/errors';
import { newScheduleProblems, readSchedule } from '#domain/schedule-spec';
import type { Tenant } from '#domain/tenant';
import { readWebhookTrigger, webhookProblems } from '#domain/webhook-trigger';
import { startOf, triggerOf } from '#domain/workflow-document';
import type { WorkflowDocument, WorkflowTrigger } from '#domain/workflow-document';
import { pollProblems } from '#workflows/poll-checks';

/** The triggers that each app has, by its slug. */
export type AppTriggers = ReadonlyMap<
  string,
  {
    readonly name: string;
    readonly triggers: Readonly<
      Record<string, { readonly kind: 'poll' | 'webhook'; readonly every?: Duration }>
    >;
  }
>;

/** What keeps the trigger of a document from going live. */
export async function triggerProblems(
  deps: { readonly clock: Clock; readonly connectors: AppTriggers },
  db: Db,
  workflow: StoredWorkflow,
  document: WorkflowDocument,
): Promise<FieldProblem[]> {
  const tenant: Tenant = { orgId: workflow.org_id, environment: workflow.environment };
  const trigger = triggerOf(document);
  const start = startOf(document);
  const at = `nodes[${start === undefined ? 0 : document.nodes.indexOf(start)}].data.trigger`;
  if (trigger.kind === 'event') return eventProblems(db, tenant, trigger);
  if (trigger.kind === 'schedule') return under(at, scheduleProblems(trigger, deps.clock.now()));
  if (trigger.kind === 'app_event') return under(at, appEventProblems(deps.connectors, workflow, trigger));
  if (trigger.kind === 'polling') {
    return under(at, await pollProblems(deps.connectors, db, tenant, { trigger, app: workflow.app_slug }));
  }
  if (trigger.kind === 'webhook') {
    const problems = webhookProblems(document, 'publish');
    return problems.length > 0 ? problems : under(at, await secretProblems(db, tenant, workflow, trigger));
  }
  return [];
}

/** What a published workflow is found by when something happens: an event's name, or `app/trigger`. */
export function listenedEvent(appSlug: string | null, trigger: WorkflowTrigger): string | null {
  if (trigger.kind === 'event') return trigger.event ?? null;
  if (trigger.kind !== 'app_event') return null;
  return `${appOfTrigger(appSlug, trigger)}/${trigger.event ?? ''}`;
}

/** The app whose event it is: the trigger says so, or it is the workflow's own. */
function appOfTrigger(appSlug: string | null, trigger: WorkflowTrigger): string {
  const named = trigger['app'] ?? trigger['app_slug'] ?? trigger['slug'];
  return typeof named === 'string' && named !== '' ? named : (appSlug ?? '');
}

function appEventProblems(
  connectors: AppTriggers,
  workflow: StoredWorkflow,
  trigger: WorkflowTrigger,
): FieldProblem[] {
  const slug = appOfTrigger(workflow.app_slug, trigger);
  const known = connectors.get(slug)?.triggers;
  if (known === undefined) {
    return [{ path: 'app', message: `"${slug}" is no app of this installation; name one in "app"` }];
  }
  const hooks = Object.keys(known).filter((name) => known[name]?.kind === 'webhook');
  if (hooks.includes(trigger.event ?? '')) return [];
  const list = hooks.length === 0 ? `${slug} sends none` : `use one of ${hooks.join(', ')}`;
  return [{ path: 'event', message: `"${trigger.event ?? ''}" is no event that ${slug} sends; ${list}` }];
}

/** A secret's id that came with an import or a copy names nothing here. */
async function secretProblems(
  db: Db,
  tenant: Tenant,
  workflow: StoredWorkflow,
  trigger: WorkflowTrigger,
): Promise<FieldProblem[]> {
  const { auth } = readWebhookTrigger(trigger);
  if (auth.type === 'none' || (await hasTriggerSecret(db, tenant, workflow.id, auth.secretId))) return [];
  return [{ path: 'auth.secret', message: 'is not known for this workflow; set it again' }];
}

async function eventProblems(db: Db, tenant: Tenant, { event }: WorkflowTrigger): Promise<FieldProblem[]> {
  if (event === undefined || (await findEventByName(db, tenant, event)) !== undefined) return [];
  const message = `the start node listens to the event "${event}", which does not exist (names are case-sensitive); create it first`;
  return [{ path: 'nodes', message }];
}

function scheduleProblems(trigger: WorkflowTrigger, now: Date): readonly FieldProblem[] {
  const read = readSchedule(trigger);
  return 'problems' in read ? read.problems : newScheduleProblems(read.spec, now);
}

/** Problems of the trigger's fields as problems of the document. */
function under(at: string, problems: readonly FieldProblem[]): FieldProblem[] {
  return problems.map(({ path, message }) => ({ path: path === '' ? at : `${at}.${path}`, message }));
}
