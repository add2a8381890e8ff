import { z } from 'zod';
import { nodeShape, shapeNode } from '#api/admin/executions';
import { consoleOf } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { wireTime } from '#api/wire';
import {
  forgetPayload,
  keepPayload,
  payloadsOf,
  pinOutput,
  pinsOf,
  runDraft,
  runDraftNode,
  type TrialInput,
  unpinOutput,
} from '#drafts/index';

const tags = ['Dashboard: trying workflows'];
const workflowPath = z.object({ id: z.string() });
const nodePath = workflowPath.extend({ node_id: z.string().max(64) });
const payloadPath = workflowPath.extend({ name: z.string().trim().min(1).max(100) });
const ok = z.object({ ok: z.literal(true) });

const pinBody = z.object({
  output: z.unknown(),
  port: z.string().max(200).optional().describe('The edge to leave by, of a node that has several'),
});

const trialBody = z.object({
  linked_account_id: z.string().min(1).max(500).describe('Whose connections and values it uses'),
  config_id: z.string().max(500).optional(),
  payload: z.unknown().optional().describe('What the trigger brings; the sample of the draft without one'),
  payload_name: z.string().max(100).optional().describe('A saved payload'),
  payload_of_execution: z.string().max(100).optional().describe('An execution whose payload comes again'),
  outputs: z.record(z.string(), pinBody).optional().describe('Outputs by node id, for this run only'),
  outputs_of_execution: z
    .string()
    .max(100)
    .optional()
    .describe('An execution of the workflow; what its nodes gave stands in for nodes without another output'),
  use_pins: z.boolean().default(true),
});

const missing = z
  .array(z.string())
  .describe('Nodes before it without an output: what reads them finds nothing');

/** Test runs of drafts, with real calls and one attempt a node. */
export function adminDraftRoutes(app: ApiApp, deps: ApiDeps): void {
  app.post(
    '/api/admin/workflows/:id/run',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Run the draft, or the part of it that follows from one node',
        params: workflowPath,
        body: trialBody.extend({ from_node_id: z.string().max(64).optional() }),
        response: { 200: z.object({ execution_id: z.string(), nodes_without_output: missing }) },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { from_node_id: fromNodeId, ...body } = request.body;
      const input = { ...inputOf(body), fromNodeId };
      const started = await runDraft(deps, tenant, request.params.id, input);
      return { execution_id: started.executionId, nodes_without_output: [...started.missing] };
    },
  );

  app.post(
    '/api/admin/workflows/:id/nodes/:node_id/run',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Run one node of the draft and show what it did',
        params: nodePath,
        body: trialBody,
        response: {
          200: z.object({
            execution_id: z.string(),
            is_finished: z.boolean().describe('False: it waits for something; read the execution later'),
            node: nodeShape.nullable(),
            nodes_without_output: missing,
          }),
        },
      },
    },
    async (request) => {
      const { tenant } = consoleOf(request);
      const { id, node_id: nodeId } = request.params;
      const trial = await runDraftNode(deps, tenant, id, nodeId, inputOf(request.body));
      return {
        execution_id: trial.executionId,
        is_finished: trial.isFinished,
        node: trial.node === undefined ? null : shapeNode(trial.node),
        nodes_without_output: [...trial.missing],
      };
    },
  );

  pinRoutes(app, deps);
  payloadRoutes(app, deps);
}

function pinRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/workflows/:id/pins',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List the outputs that stand in for nodes in test runs',
        params: workflowPath,
        response: {
          200: z.object({
            pins: z.array(
              z.object({
                node_id: z.string(),
                output: z.unknown(),
                port: z.string().nullable(),
                updated_at: z.string(),
              }),
            ),
          }),
        },
      },
    },
    async (request) => {
      const pins = await pinsOf(deps, consoleOf(request).tenant, request.params.id);
      return {
        pins: pins.map(({ node_id, output, port, updated_at }) => ({
          node_id,
          output,
          port,
          updated_at: wireTime(updated_at),
        })),
      };
    },
  );

  app.put(
    '/api/admin/workflows/:id/pins/:node_id',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Pin an output: test runs take it instead of running the node',
        params: nodePath,
        body: pinBody,
        response: { 200: ok },
      },
    },
    async (request) => {
      const { id, node_id: nodeId } = request.params;
      await pinOutput(deps, consoleOf(request).tenant, id, nodeId, request.body);
      return { ok: true as const };
    },
  );

  app.delete(
    '/api/admin/workflows/:id/pins/:node_id',
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Let the node run again', params: nodePath, response: { 200: ok } },
    },
    async (request) => {
      await unpinOutput(deps, consoleOf(request).tenant, request.params.id, request.params.node_id);
      return { ok: true as const };
    },
  );
}

function payloadRoutes(app: ApiApp, deps: ApiDeps): void {
  app.get(
    '/api/admin/workflows/:id/payloads',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'List the saved payloads of a workflow',
        params: workflowPath,
        response: {
          200: z.object({
            payloads: z.array(z.object({ name: z.string(), payload: z.unknown(), updated_at: z.string() })),
          }),
        },
      },
    },
    async (request) => {
      const payloads = await payloadsOf(deps, consoleOf(request).tenant, request.params.id);
      return {
        payloads: payloads.map(({ name, payload, updated_at }) => ({
          name,
          payload,
          updated_at: wireTime(updated_at),
        })),
      };
    },
  );

  app.put(
    '/api/admin/workflows/:id/payloads/:name',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Save a payload under a name, to run the draft with',
        params: payloadPath,
        body: z.object({ payload: z.unknown() }),
        response: { 200: ok },
      },
    },
    async (request) => {
      const { id, name } = request.params;
      await keepPayload(deps, consoleOf(request).tenant, id, name, request.body.payload);
      return { ok: true as const };
    },
  );

  app.delete(
    '/api/admin/workflows/:id/payloads/:name',
    {
      config: { auth: 'console' },
      schema: { tags, summary: 'Delete a saved payload', params: payloadPath, response: { 200: ok } },
    },
    async (request) => {
      await forgetPayload(deps, consoleOf(request).tenant, request.params.id, request.params.name);
      return { ok: true as const };
    },
  );
}

function inputOf(body: z.output<typeof trialBody>): TrialInput {
  return {
    accountId: body.linked_account_id,
    configId: body.config_id,
    payload: body.payload,
    payloadName: body.payload_name,
    payloadOf: body.payload_of_execution,
    outputs: body.outputs,
    outputsOf: body.outputs_of_execution,
    usesPins: body.use_pins,
  };
}
