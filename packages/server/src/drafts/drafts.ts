import { findLinkedAccountRef } from '#db/linked-account';
import type { Db } from '#db/schema';
import type { StoredWorkflow } from '#db/workflow';
import {
  deletePayload,
  deletePin,
  listPayloads,
  listPins,
  savePayload,
  savePin,
  type StoredPayload,
  type StoredPin,
} from '#db/workflow-trial';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { validateWorkflow, type NodeTypes } from '#domain/workflow-checks';
import {
  readWorkflowDocument,
  startOf,
  triggerOf,
  type PinnedOutput,
  type WorkflowDocument,
  type WorkflowNode,
} from '#domain/workflow-document';
import { trialDocument, type Aim, type Outputs } from '#drafts/trial-document';
import type { Engine, NodeRun, StartInput } from '#engine/index';
import { getWorkflow } from '#workflows/index';

/** Trying a workflow before it is published: real calls, one attempt a node (spec/workflows §16). */
export interface DraftDeps {
  readonly db: Db;
  readonly engine: Pick<Engine, 'startExecution' | 'runSync' | 'read'>;
  readonly nodeTypes: NodeTypes;
}

/** What to try a draft with. */
export interface TrialInput {
  /** The id that the SaaS company chose for the account. */
  readonly accountId: string;
  readonly configId?: string | undefined;
  /** What the trigger brings; else one of the next two; else the draft's own sample. */
  readonly payload?: unknown;
  readonly payloadName?: string | undefined;
  /** An execution of either environment whose payload comes again. */
  readonly payloadOf?: string | undefined;
  /** Outputs of nodes for this run only; they win over those that are pinned. */
  readonly outputs?: Outputs | undefined;
  /** An execution of the workflow whose outputs stand in for nodes that have no other. */
  readonly outputsOf?: string | undefined;
  /** False: outputs that are pinned do not count. */
  readonly usesPins?: boolean | undefined;
}

const syncTimeoutMs = 60_000;
const mostPayloads = 100;
const mostBytes = 1_000_000;

/**
 * Starts a test of the draft, or of the part that follows from one node.
 *
 * @returns the execution; nodes whose output nobody has given, when it does not begin at the start
 * @throws AppError `workflow_not_found`, `workflow_invalid`, `invalid_request` naming the field
 */
export async function runDraft(
  deps: DraftDeps,
  tenant: Tenant,
  workflowId: string,
  input: TrialInput & { readonly fromNodeId?: string | undefined },
): Promise<{ readonly executionId: string; readonly missing: readonly string[] }> {
  const { fromNodeId: nodeId } = input;
  const aim: Aim = nodeId === undefined ? { kind: 'whole' } : { kind: 'from', nodeId };
  const { start, missing } = await prepare(deps, tenant, workflowId, input, aim);
  const { executionId } = await deps.engine.startExecution(tenant, start);
  return { executionId, missing };
}

/** One node that was tried; without `node` it has not got so far. */
export interface NodeTrial {
  readonly executionId: string;
  readonly isFinished: boolean;
  readonly node: NodeRun | undefined;
  readonly missing: readonly string[];
}

/**
 * Tries one node of the draft and waits for it, at most a minute. A container, and a node inside one, is tried with
 * the whole workflow.
 *
 * @throws AppError as {@link runDraft}
 */
export async function runDraftNode(
  deps: DraftDeps,
  tenant: Tenant,
  workflowId: string,
  nodeId: string,
  input: TrialInput,
): Promise<NodeTrial> {
  const aim: Aim = { kind: 'node', nodeId };
  const { start, missing } = await prepare(deps, tenant, workflowId, input, aim);
  const { executionId, isFinished } = await deps.engine.runSync(tenant, {
    ...start,
    timeoutMs: syncTimeoutMs,
  });
  const { nodes } = await deps.engine.read(tenant, executionId, undefined, { isWhole: true });
  return { executionId, isFinished, node: nodes.find((node) => node.nodeId === nodeId), missing };
}

async function prepare(
  deps: DraftDeps,
  tenant: Tenant,
  workflowId: string,
  input: TrialInput,
  aim: Aim,
): Promise<{ start: StartInput; missing: readonly string[] }> {
  const workflow = await getWorkflow(deps, { tenant, isCustomer: false }, workflowId);
  const draft = readWorkflowDocument(workflow.draft);
  const problems = validateWorkflow(draft, deps.nodeTypes, 'draft');
  if (problems.length > 0 || startOf(draft) === undefined) {
    const noStart = [{ path: 'nodes', message: 'there is no start node' }];
    throw new AppError('workflow_invalid', { problems: problems.length > 0 ? problems : noStart });
  }
  const linkedAccount = await findLinkedAccountRef(deps.db, tenant, input.accountId);
  if (linkedAccount === undefined) {
    refuse('linked_account_id', `there is no linked account "${input.accountId}" in this environment`);
  }
  if (workflow.linked_account_id !== null && workflow.linked_account_id !== linkedAccount.id) {
    throw new AppError('workflow_forbidden', { id: workflowId });
  }
  if (aim.kind !== 'whole') requireTriable(deps, draft, aim);
  const outputs = await outputsOf(deps, tenant, workflow, draft, input);
  if (aim.kind === 'whole') requirePorts(deps, draft, outputs);
  const { document, missing } = trialDocument(draft, outputs, aim);
  const { event } = triggerOf(draft);
  return {
    missing,
    start: {
      workflowId: workflow.id,
      document,
      linkedAccount,
      configId: input.configId ?? linkedAccount.accountId,
      slug: workflow.app_slug ?? undefined,
      source: 'api_call',
      triggerEvent: event,
      payload: await payloadOf(deps, tenant, workflow, draft, input),
    },
  };
}

function requireTriable(
  { nodeTypes }: DraftDeps,
  draft: WorkflowDocument,
  { kind, nodeId }: Aim & object & { nodeId: string },
): void {
  const field = kind === 'from' ? 'from_node_id' : 'node_id';
  const node = nodeOf(draft, nodeId, field);
  if (node.node_type === 'start') refuse(field, 'the start node does nothing; run the whole workflow');
  const isContainer = nodeTypes.get(node.node_type)?.container !== undefined;
  if (node.parent_id !== undefined || (kind === 'node' && isContainer)) {
    refuse(
      field,
      `node "${node.name}" is ${isContainer ? 'a container' : 'inside a container'}; run the whole workflow, or from the container on`,
    );
  }
}

function nodeOf(draft: WorkflowDocument, nodeId: string, field: string): WorkflowNode {
  const node = draft.nodes.find(({ id }) => id === nodeId);
  if (node === undefined) refuse(field, `the draft has no node "${nodeId}"`);
  return node;
}

/** A node with several ways out must say which one its pinned output takes. */
function requirePorts({ nodeTypes }: DraftDeps, draft: WorkflowDocument, outputs: Outputs): void {
  for (const [nodeId, pin] of Object.entries(outputs)) {
    requirePort({ nodeTypes }, nodeOf(draft, nodeId, `outputs.${nodeId}`), pin, `outputs.${nodeId}.port`);
  }
}

function requirePort(
  { nodeTypes }: Pick<DraftDeps, 'nodeTypes'>,
  node: WorkflowNode,
  { port }: PinnedOutput,
  field: string,
): void {
  const ports = nodeTypes.get(node.node_type)?.ports(node.data) ?? [];
  if (port === undefined ? ports.length <= 1 : ports.includes(port)) return;
  refuse(field, `node "${node.name}" leaves by ${ports.map((name) => `"${name}"`).join(' or ')}; say which`);
}

/** Given ones win over pinned ones, and those over what an earlier execution had. */
async function outputsOf(
  deps: DraftDeps,
  tenant: Tenant,
  workflow: StoredWorkflow,
  draft: WorkflowDocument,
  input: TrialInput,
): Promise<Outputs> {
  const has = new Set(draft.nodes.filter(({ node_type }) => node_type !== 'start').map(({ id }) => id));
  for (const nodeId of Object.keys(input.outputs ?? {})) {
    if (!has.has(nodeId))
      refuse(`outputs.${nodeId}`, `the draft has no node "${nodeId}" that could have an output`);
  }
  const pins = input.usesPins === false ? [] : await listPins(deps.db, tenant, workflow.id);
  const all = {
    ...(await earlierOutputs(deps, tenant, workflow, input.outputsOf)),
    ...Object.fromEntries(
      pins.map(({ node_id, output, port }) => [node_id, { output, port: port ?? undefined }]),
    ),
    ...input.outputs,
  };
  // Nodes that the draft has lost since.
  return Object.fromEntries(Object.entries(all).filter(([nodeId]) => has.has(nodeId)));
}

async function earlierOutputs(
  { engine }: DraftDeps,
  tenant: Tenant,
  workflow: StoredWorkflow,
  executionId: string | undefined,
): Promise<Outputs> {
  if (executionId === undefined) return {};
  const { header, nodes } = await engine.read(tenant, executionId, undefined, { isWhole: true });
  if (header.workflowId !== workflow.id)
    refuse('outputs_of_execution', 'is an execution of another workflow');
  return Object.fromEntries(
    nodes
      .filter(({ status }) => status === 'success' || status === 'partially_successful')
      .map(({ nodeId, output, attempts }) => {
        const port = attempts.findLast((entry) => entry.kind === 'outcome')?.port ?? undefined;
        return [nodeId, { output, port }];
      }),
  );
}

async function payloadOf(
  deps: DraftDeps,
  tenant: Tenant,
  workflow: StoredWorkflow,
  draft: WorkflowDocument,
  { payload, payloadName, payloadOf: executionId }: TrialInput,
): Promise<unknown> {
  if (payload !== undefined) return payload;
  if (payloadName !== undefined) {
    const saved = await listPayloads(deps.db, tenant, workflow.id);
    const found = saved.find(({ name }) => name === payloadName);
    if (found === undefined) {
      const names = saved.map(({ name }) => `"${name}"`).join(', ') || 'none';
      refuse('payload_name', `no payload "${payloadName}" is saved; there are: ${names}`);
    }
    return found.payload;
  }
  if (executionId === undefined) return draft.manual_execution_payload ?? {};
  return (await payloadOfExecution(deps, tenant, executionId)) ?? {};
}

/** What once happened in production may be tried in a test environment: both are the same organisation's. */
async function payloadOfExecution({ engine }: DraftDeps, tenant: Tenant, id: string): Promise<unknown> {
  const other = tenant.environment === 'test' ? 'production' : 'test';
  for (const environment of [tenant.environment, other] as const) {
    try {
      const { nodes } = await engine.read({ ...tenant, environment }, id, undefined, { isWhole: true });
      return nodes[0]?.output;
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'execution_not_found') throw error;
    }
  }
  return refuse('payload_of_execution', `there is no execution "${id}"`);
}

/** The pins of a workflow. @throws AppError `workflow_not_found` */
export async function pinsOf(deps: DraftDeps, tenant: Tenant, workflowId: string): Promise<StoredPin[]> {
  const workflow = await getWorkflow(deps, { tenant, isCustomer: false }, workflowId);
  return listPins(deps.db, tenant, workflow.id);
}

/** Keeps an output that stands in for a node in test runs. @throws AppError `workflow_not_found`, `invalid_request` */
export async function pinOutput(
  deps: DraftDeps,
  tenant: Tenant,
  workflowId: string,
  nodeId: string,
  pin: PinnedOutput,
): Promise<void> {
  const workflow = await getWorkflow(deps, { tenant, isCustomer: false }, workflowId);
  const node = nodeOf(readWorkflowDocument(workflow.draft), nodeId, 'node_id');
  if (node.node_type === 'start')
    refuse('node_id', 'the start node has no output of its own; save a payload');
  requirePort(deps, node, pin, 'port');
  requireSmall(pin.output, 'output');
  await savePin(deps.db, tenant, { workflowId: workflow.id, nodeId }, pin);
}

/** @throws AppError `workflow_not_found`, `not_found` */
export async function unpinOutput(
  deps: DraftDeps,
  tenant: Tenant,
  workflowId: string,
  nodeId: string,
): Promise<void> {
  const workflow = await getWorkflow(deps, { tenant, isCustomer: false }, workflowId);
  if (!(await deletePin(deps.db, tenant, { workflowId: workflow.id, nodeId }))) {
    throw new AppError('not_found', { what: 'Pinned output', id: nodeId });
  }
}

/** The saved payloads of a workflow, by name. @throws AppError `workflow_not_found` */
export async function payloadsOf(
  deps: DraftDeps,
  tenant: Tenant,
  workflowId: string,
): Promise<StoredPayload[]> {
  const workflow = await getWorkflow(deps, { tenant, isCustomer: false }, workflowId);
  return listPayloads(deps.db, tenant, workflow.id);
}

/** @throws AppError `workflow_not_found`, `invalid_request` */
export async function keepPayload(
  deps: DraftDeps,
  tenant: Tenant,
  workflowId: string,
  name: string,
  payload: unknown,
): Promise<void> {
  const saved = await payloadsOf(deps, tenant, workflowId);
  if (saved.length >= mostPayloads && !saved.some((one) => one.name === name)) {
    refuse('name', `a workflow keeps at most ${mostPayloads} payloads; delete one`);
  }
  requireSmall(payload, 'payload');
  const workflow = await getWorkflow(deps, { tenant, isCustomer: false }, workflowId);
  await savePayload(deps.db, tenant, { workflowId: workflow.id, name }, payload);
}

/** @throws AppError `workflow_not_found`, `not_found` */
export async function forgetPayload(
  deps: DraftDeps,
  tenant: Tenant,
  workflowId: string,
  name: string,
): Promise<void> {
  const workflow = await getWorkflow(deps, { tenant, isCustomer: false }, workflowId);
  if (!(await deletePayload(deps.db, tenant, { workflowId: workflow.id, name }))) {
    throw new AppError('not_found', { what: 'Payload', id: name });
  }
}

function requireSmall(value: unknown, field: string): void {
  const bytes = Buffer.byteLength(JSON.stringify(value ?? null));
  if (bytes > mostBytes) refuse(field, `is ${bytes} bytes; at most ${mostBytes} are kept`);
}

function refuse(path: string, message: string): never {
  throw new AppError('invalid_request', { problems: [{ path, message }] });
}
