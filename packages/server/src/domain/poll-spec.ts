import type { FieldProblem } from '#domain/errors';
import { isRecord } from '#domain/exact-json';

/** What a start node of the kind `polling` asks for. */
export interface PollSpec {
  readonly app: string;
  /** Of the app's connector, or else the id of a custom one. */
  readonly triggerId: string | undefined;
  readonly customPollId: string | undefined;
  readonly everyMinutes: number;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Spec/workflows §5. */
export const pollIntervals: readonly number[] = [1, 5, 15, 60];
const defaultInterval = 15;

/**
 * Reads the settings of a polling trigger: `app` (that of the workflow without one), `event` or `trigger_id` of the
 * app's connector or else `polling_trigger_id`, `frequency` in minutes and `params`.
 */
export function readPollSpec(
  trigger: Readonly<Record<string, unknown>>,
  workflowApp: string | null,
): { readonly spec: PollSpec } | { readonly problems: readonly FieldProblem[] } {
  const app = textOf(trigger['app'] ?? trigger['slug']) ?? workflowApp ?? undefined;
  const customPollId = textOf(trigger['polling_trigger_id']);
  const triggerId = textOf(trigger['event'] ?? trigger['trigger_id']);
  const given = trigger['frequency'] ?? trigger['every'];
  const everyMinutes =
    given === undefined || given === null || given === '' ? defaultInterval : Number(given);
  const params = trigger['params'] ?? {};
  const problems: FieldProblem[] = [];
  if (app === undefined) {
    problems.push({ path: 'app', message: 'the workflow belongs to no app: name the app to poll' });
  }
  if (triggerId === undefined && customPollId === undefined) {
    const message = 'choose a polling trigger of the app, or a custom one by "polling_trigger_id"';
    problems.push({ path: 'event', message });
  }
  if (!pollIntervals.includes(everyMinutes)) {
    problems.push({ path: 'frequency', message: `is minutes: ${pollIntervals.join(', ')}` });
  }
  if (!isRecord(params)) problems.push({ path: 'params', message: 'expected an object' });
  if (problems.length > 0 || app === undefined || !isRecord(params)) return { problems };
  return {
    spec: {
      app,
      triggerId: customPollId === undefined ? triggerId : undefined,
      customPollId,
      everyMinutes,
      params,
    },
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
