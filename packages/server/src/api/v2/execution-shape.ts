import { z } from 'zod';
import { wireTime } from '#api/wire';
import { ownApp } from '#api/v2/workflow-app';
import { appIconUrl, appId } from '#domain/app';
import type { ExecutionDetail, ExecutionHeader, NodeRun } from '#engine/index';

/** States on Cobalt's wire; a suspended run is still running there. */
const wireStatus = {
  queued: 'QUEUED',
  running: 'RUNNING',
  waiting: 'RUNNING',
  completed: 'COMPLETED',
  errored: 'ERRORED',
  stopped: 'STOPPED',
  timed_out: 'TIMED_OUT',
  terminated: 'TERMINATED',
} as const;

/** What a suspended execution waits for; a retry waits for time. */
const wireWait = {
  retry: 'time',
  delay: 'time',
  webhook: 'webhook',
  human_task: 'human_task',
  sub_flow: 'sub_flow',
} as const;

/** Cobalt's clients know three sources only. */
const wireSource = {
  event: 'Event',
  app_event: 'Event',
  polling: 'Event',
  webhook: 'Event',
  schedule: 'Schedule',
  api_call: 'API Call',
  sub_flow: 'API Call',
} as const;

export const wireNodeStatus = {
  running: 'Waiting',
  success: 'Success',
  partially_successful: 'Partially_Successful',
  errored: 'Errored',
  errored_and_skipped: 'Errored_and_Skipped',
  rejected: 'Rejected',
  stopped: 'Stopped',
  timed_out: 'Timed_Out',
  terminated: 'Terminated',
} as const;

export const executionStatus = z.enum([...Object.values(wireStatus), 'STOPPING']);

const named = z.object({ _id: z.string(), name: z.string(), icon: z.string().optional() });

/** Execution of spec/api §3, as lists give it. */
export const executionShape = z.object({
  _id: z.string(),
  id: z.string(),
  name: z.string(),
  org_id: z.string(),
  environment: z.enum(['test', 'production']),
  status: executionStatus,
  waiting_on: z.enum(Object.values(wireWait)).optional(),
  linked_account_id: z.string(),
  config_id: z.string(),
  associated_application: named,
  associated_workflow: named,
  associated_trigger_application: named
    .extend({ app_type: z.string(), origin_trigger: z.object({ _id: z.string(), name: z.string() }) })
    .optional(),
  trigger_application_event: z.string().optional(),
  associated_event_id: z.string().optional(),
  type_of_execution: z.enum(['SYNC', 'ASYNC']),
  execution_source: z.enum(['Event', 'Schedule', 'API Call']),
  completion_percentage: z.number(),
  completion_time: z.string().optional(),
  instance_execution_time: z.number().optional(),
  is_child_instance: z.boolean(),
  parent_execution_id: z.string().optional(),
  instance_tag: z.string().optional(),
  error: z.object({ node_id: z.string(), message: z.string() }).optional(),
  error_hash: z.string().optional(),
  custom_field_values: z.record(z.string(), z.string()).optional(),
  rerun_of: z.string().optional(),
  retry_of: z.string().optional(),
  workflow_version: z.int().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
});

export const executionNode = z.object({
  node_id: z.string(),
  node_name: z.string(),
  node_type: z.string(),
  node_status: z.enum(Object.values(wireNodeStatus)),
  is_batch: z.boolean(),
  attempts_made: z.int(),
  maximum_attempts: z.int(),
  execution_time: z.number(),
  input_data: z.unknown(),
  latest_output: z.unknown(),
  console: z.array(z.object({ level: z.string(), text: z.string() })).optional(),
  curl: z.array(z.string()).optional().describe('The requests of the node, headers left out'),
  is_truncated: z
    .literal(true)
    .optional()
    .describe('Input or output is shown in part; ask with full_values=true'),
  started_at: z.string(),
});

export const executionDetailShape = executionShape.extend({
  nodes: z.array(executionNode),
  store_variables: z.record(z.string(), z.unknown()),
});

/** Apps by slug, and ids of the organisation's events by name: what the shape names besides the row. */
export interface ShapeContext {
  readonly publicUrl: string;
  readonly appName: (slug: string) => string;
  readonly eventIds: ReadonlyMap<string, string>;
}

export function statusOf(header: ExecutionHeader): z.output<typeof executionStatus> {
  if (header.state === 'running' && header.stopRequestedAt !== null) return 'STOPPING';
  // Queued again after a wait: QUEUED on the wire is what has not begun.
  if (header.state === 'queued' && header.startedAt !== null) return 'RUNNING';
  return wireStatus[header.state];
}

/** An execution on Cobalt's wire. */
export function shapeExecution(
  header: ExecutionHeader,
  context: ShapeContext,
): z.output<typeof executionShape> {
  const app = shapeApp(header, context);
  const eventId = header.triggerEvent === null ? undefined : context.eventIds.get(header.triggerEvent);
  const begun = header.startedAt ?? header.createdAt;
  return {
    _id: header.id,
    id: header.id,
    name: `${header.rerunOf === null && header.retryOf === null ? 'Execution' : 'Retry'} for workflow ${header.workflowId}`,
    org_id: header.orgId,
    environment: header.environment,
    status: statusOf(header),
    ...(header.state === 'waiting' && { waiting_on: wireWait[header.waitsFor ?? 'retry'] }),
    linked_account_id: header.accountId,
    config_id: header.configId,
    associated_application: app,
    associated_workflow: { _id: header.workflowId, name: header.workflowName ?? '' },
    ...(header.triggerEvent !== null && {
      associated_trigger_application: {
        ...app,
        app_type: header.appSlug ?? 'custom',
        origin_trigger: { _id: eventId ?? '', name: header.triggerEvent },
      },
    }),
    ...(header.triggerEvent !== null && { trigger_application_event: header.triggerEvent }),
    ...(eventId !== undefined && { associated_event_id: eventId }),
    type_of_execution: header.mode === 'sync' ? 'SYNC' : 'ASYNC',
    execution_source: wireSource[header.source],
    completion_percentage: completion(header),
    ...(header.finishedAt !== null && {
      completion_time: wireTime(header.finishedAt),
      instance_execution_time: header.finishedAt.getTime() - begun.getTime(),
    }),
    is_child_instance: header.parentExecutionId !== null,
    ...(header.parentExecutionId !== null && { parent_execution_id: header.parentExecutionId }),
    ...(header.instanceTag !== null && { instance_tag: header.instanceTag }),
    ...(header.errorText !== null && {
      error: { node_id: header.failedNodeId ?? '', message: header.errorText },
    }),
    ...(header.errorHash !== null && { error_hash: header.errorHash }),
    ...(header.customFieldValues !== null && { custom_field_values: header.customFieldValues }),
    ...(header.rerunOf !== null && { rerun_of: header.rerunOf }),
    ...(header.retryOf !== null && { retry_of: header.retryOf }),
    ...(header.workflowVersion !== null && { workflow_version: header.workflowVersion }),
    createdAt: wireTime(header.createdAt),
    updatedAt: wireTime(header.finishedAt ?? begun),
  };
}

export function shapeExecutionDetail(
  { header, nodes, variables }: ExecutionDetail,
  context: ShapeContext,
): z.output<typeof executionDetailShape> {
  return { ...shapeExecution(header, context), nodes: nodes.map(shapeNode), store_variables: variables };
}

export function shapeNode(node: NodeRun): z.output<typeof executionNode> {
  return {
    node_id: node.nodeId,
    node_name: node.name,
    node_type: node.type,
    node_status: wireNodeStatus[node.status],
    is_batch: node.isBatch,
    attempts_made: Math.max(...node.attempts.map(({ attempt }) => attempt)),
    maximum_attempts: node.maxAttempts,
    execution_time: node.durationMs,
    input_data: node.input,
    latest_output: envelope(node),
    ...(node.console.length > 0 && { console: [...node.console] }),
    ...(node.curl.length > 0 && { curl: [...node.curl] }),
    ...(node.isCut && { is_truncated: true as const }),
    started_at: wireTime(node.enteredAt),
  };
}

/** Spec/workflows §9: what templates read as `{{node.N…}}`. */
function envelope(node: NodeRun): unknown {
  if (node.status === 'running') return null;
  return {
    status: node.status === 'success' ? 'Success' : node.status === 'rejected' ? 'Rejected' : 'Errored',
    node_id: node.nodeId,
    node_name: node.name,
    body:
      node.error === null
        ? node.output
        : { message: node.error.message, status: node.error.status, error: node.error.body },
    ...(node.statusCode !== null && { status_code: node.statusCode }),
  };
}

function completion({ state, nodeCount, finishedNodeCount }: ExecutionHeader): number {
  if (state === 'completed') return 100;
  return nodeCount === 0 ? 0 : Math.round((finishedNodeCount / nodeCount) * 100);
}

/** Clients read the app's name unguarded, so a workflow without an app names the organisation's own. */
function shapeApp(
  { appSlug: slug, orgId }: ExecutionHeader,
  { publicUrl, appName }: ShapeContext,
): z.output<typeof named> {
  if (slug === null) {
    const { _id, name } = ownApp(orgId);
    return { _id, name };
  }
  return { _id: appId(slug), name: appName(slug), icon: appIconUrl(publicUrl, slug) };
}
