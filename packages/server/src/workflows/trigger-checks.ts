import { findEventByName } from '#db/org-event';
import type { Db } from '#db/schema';
import type { Clock } from '#domain/clock';
import type { FieldProblem } from '#domain/errors';
import { newScheduleProblems, readSchedule } from '#domain/schedule-spec';
import type { Tenant } from '#domain/tenant';
import { startOf, triggerOf } from '#domain/workflow-document';
import type { WorkflowDocument, WorkflowTrigger } from '#domain/workflow-document';

/** What keeps the trigger of a document from going live. */
export async function triggerProblems(
  deps: { readonly clock: Clock },
  db: Db,
  tenant: Tenant,
  document: WorkflowDocument,
): Promise<FieldProblem[]> {
  const trigger = triggerOf(document);
  const start = startOf(document);
  const at = `nodes[${start === undefined ? 0 : document.nodes.indexOf(start)}].data.trigger`;
  if (trigger.kind === 'event') return eventProblems(db, tenant, trigger);
  if (trigger.kind === 'schedule') return under(at, scheduleProblems(trigger, deps.clock.now()));
  return [];
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
