import { type Duration, durationMs } from '@inlay/connectors/kit';
import { findCustomPoll } from '#db/custom-poll';
import type { Db } from '#db/schema';
import type { FieldProblem } from '#domain/errors';
import { type PollSpec, readPollSpec } from '#domain/poll-spec';
import type { Tenant } from '#domain/tenant';
import type { WorkflowTrigger } from '#domain/workflow-document';

interface PolledApp {
  readonly name: string;
  readonly triggers: Readonly<
    Record<string, { readonly kind: 'poll' | 'webhook'; readonly every?: Duration }>
  >;
}

/** What keeps a polling trigger from going live: it names nothing that is there, or asks more often than it may. */
export async function pollProblems(
  apps: ReadonlyMap<string, PolledApp>,
  db: Db,
  tenant: Tenant,
  { trigger, app }: { readonly trigger: WorkflowTrigger; readonly app: string | null },
): Promise<readonly FieldProblem[]> {
  const read = readPollSpec(trigger, app);
  if ('problems' in read) return read.problems;
  const { spec } = read;
  const polled = apps.get(spec.app);
  if (polled === undefined) return [{ path: 'app', message: `there is no app "${spec.app}"` }];
  const floor = await floorOf(polled, db, tenant, spec);
  if (typeof floor !== 'number') return [floor];
  if (spec.everyMinutes >= floor) return [];
  return [{ path: 'frequency', message: `${polled.name} is asked every ${floor} min at most` }];
}

/** How many minutes the trigger wants between two polls, or what is wrong with it. */
async function floorOf(
  app: PolledApp,
  db: Db,
  tenant: Tenant,
  spec: PollSpec,
): Promise<number | FieldProblem> {
  if (spec.customPollId !== undefined) {
    const custom = await findCustomPoll(db, tenant, spec.app, spec.customPollId);
    if (custom !== undefined) return Number(custom.definition['min_interval']);
    const message = `${app.name} has no polling trigger "${spec.customPollId}"`;
    return { path: 'polling_trigger_id', message };
  }
  const id = spec.triggerId ?? '';
  const declared = Object.hasOwn(app.triggers, id) ? app.triggers[id] : undefined;
  if (declared?.kind === 'poll' && declared.every !== undefined) return durationMs(declared.every) / 60_000;
  const known = Object.keys(app.triggers).filter((name) => app.triggers[name]?.kind === 'poll');
  const message = `${app.name} has no polling trigger "${id}"; it has ${known.join(', ') || 'none'}`;
  return { path: 'event', message };
}
