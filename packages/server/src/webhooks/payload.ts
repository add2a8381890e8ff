import type { AlertEvent, EndedExecution } from '#db/alert-event';

/**
 * What a webhook tells of an event, by spec/api §5: B for executions, A for everything else. Ends other than completion
 * say in `error` and the two times what is known of them.
 *
 * @param end - of an event of an execution
 */
export function payloadOf(event: AlertEvent, end: EndedExecution | undefined): Record<string, unknown> {
  if (event.executionId !== null) return endPayload(event, end);
  return {
    ...event.detail,
    org_id: event.orgId,
    environment: event.environment,
    type: 'General',
    event: event.event,
    // The wire has RFC 7231 dates here, and nowhere else.
    createdAt: event.at.toUTCString(),
    ...(event.watches !== 'events' && { rule: event.ruleName }),
  };
}

function endPayload(event: AlertEvent, end: EndedExecution | undefined): Record<string, unknown> {
  return {
    linked_account_id: end?.accountId ?? null,
    instance_id: event.executionId,
    workflow_id: end?.workflowId ?? null,
    config_id: end?.configId ?? null,
    event: event.event,
    workflow_name: end?.workflowName ?? null,
    status: end?.state.toUpperCase() ?? null,
    environment: event.environment,
    ...(end?.errorText != null && { error: errorOf(end, end.errorText) }),
    ...(end !== undefined && {
      completion_time: end.finishedAt.toISOString(),
      execution_time_ms: end.startedAt === null ? null : end.finishedAt.getTime() - end.startedAt.getTime(),
    }),
  };
}

function errorOf(end: EndedExecution, message: string): Record<string, unknown> {
  return {
    message,
    node_id: end.failedNodeId,
    attempts: end.attempts,
    status: end.nodeError?.status ?? null,
    body: shortened(end.nodeError?.body ?? null),
  };
}

const longestBody = 16_384;

/** An upstream's answer whole while it is short; of a long one its beginning, as text. */
function shortened(body: unknown): unknown {
  const text = JSON.stringify(body);
  return text.length <= longestBody ? body : `${text.slice(0, longestBody)}…`;
}

/** First names under `event` that templates may use: those of both payloads. */
export const payloadFields: ReadonlySet<string> = new Set([
  'linked_account_id',
  'instance_id',
  'workflow_id',
  'config_id',
  'event',
  'workflow_name',
  'status',
  'environment',
  'error',
  'completion_time',
  'execution_time_ms',
  'org_id',
  'type',
  'slug',
  'createdAt',
  'rule',
  'window_minutes',
  'threshold_percent',
  'ended',
  'failed',
  'last_completed_at',
  'workflow_ids',
]);
