import { z } from 'zod';
import { runAgent, toolName, type AgentTool } from '#agents/index';
import { AppError } from '#domain/errors';
import { secretsIn } from '#domain/masking/index';
import { done, nodeType, suspended, type NodeContext, type NodeOutcome } from '#engine/nodes/node-type';
import { placeIn } from '#engine/nodes/sub-flow';

const limits = { steps: 50, timeoutS: 3_600, tools: 50, servers: 10, memory: 100 };

/** A number that a template or a form may have written as text; empty means the usual one. */
const bounded = (usual: number, most: number) =>
  z.preprocess(
    (given) => (given === '' || given === null ? undefined : given),
    z.coerce
      .number()
      .int()
      .min(1)
      .max(most, { message: `is at most ${most}` })
      .default(usual),
  );

/** JSON, or its text. */
const json = z.preprocess((given) => {
  if (given === '' || given === null) return undefined;
  if (typeof given !== 'string') return given;
  try {
    return JSON.parse(given) as unknown;
  } catch {
    return given;
  }
}, z.unknown());

const textMap = z.record(z.string(), z.coerce.string()).default({});

const tool = z
  .object({
    app: z.string().min(1).optional(),
    action: z.string().min(1).optional(),
    workflow: z.string().min(1).optional(),
    description: z.string().max(2_000).optional(),
  })
  .transform(({ app, action, workflow, description }, ctx): ActionTool | WorkflowTool => {
    if (workflow !== undefined) return { workflow, description };
    if (app !== undefined && action !== undefined) return { app, action, description };
    const [path, message] =
      app === undefined
        ? ['app', 'name the app by its slug, or a "workflow"']
        : ['action', 'name the action'];
    ctx.addIssue({ code: 'custom', path: [path], message });
    return z.NEVER;
  });

interface ActionTool {
  readonly app: string;
  readonly action: string;
  readonly description: string | undefined;
}

interface WorkflowTool {
  /** Id or alias. */
  readonly workflow: string;
  readonly description: string | undefined;
}

const mcpServer = z.object({
  name: z.string().min(1).max(50).default('mcp'),
  url: z.url({ protocol: /^https?$/, error: 'is not an http(s) address' }),
  headers: textMap,
  query_params: textMap,
});

const settings = z.looseObject({
  provider: z.string().trim().min(1).default('openai'),
  model: z.string().trim().optional(),
  prompt: z.string({ error: 'write what the agent is to do' }).trim().min(1, {
    message: 'write what the agent is to do',
  }),
  system_prompt: z.string().default(''),
  schema: json.pipe(
    z.record(z.string(), z.unknown(), { error: 'is not a JSON Schema: a JSON object' }).optional(),
  ),
  tools: json.pipe(
    z
      .array(tool, { error: 'is not a list of {"app", "action"} and {"workflow"}' })
      .max(limits.tools)
      .default([]),
  ),
  mcp_servers: json.pipe(
    z.array(mcpServer, { error: 'is not a list of {"name", "url"}' }).max(limits.servers).default([]),
  ),
  memory: json.pipe(
    z
      .object({
        store: z.string().min(1).max(200).default('default'),
        identifier: z.string({ error: 'say whose conversation it is' }).min(1).max(500),
        last: bounded(10, limits.memory),
      })
      .optional(),
  ),
  max_steps: bounded(10, limits.steps),
  max_tokens: bounded(200_000, 10_000_000),
  max_answer_tokens: bounded(4_096, 200_000).describe('Of one answer of the model.'),
  timeout_s: bounded(300, limits.timeoutS),
});

type AgentSettings = z.output<typeof settings>;

/** Lets a language model work with tools until it answers. */
export const agent = nodeType<AgentSettings>({
  type: 'agent',
  label: 'Agent',
  group: 'code',
  help: 'A language model that answers, and may use app actions, workflows and MCP servers on the way.',
  reference: {
    output: 'The answer: text, or with `schema` the JSON that fits it.',
    errors:
      'A provider that is not set or refuses; an answer that does not fit the schema twice; the end of the steps, tokens or seconds; tools that do not exist. A tool that fails does not fail the node: the model is told.',
  },
  // Every answer and every call is in a transcript before the next: another attempt goes on where it ends.
  effect: 'repeatable',
  fields: {
    provider: { type: 'text', label: 'Model provider', default: 'openai' },
    model: { type: 'text', label: 'Model', help: "Empty: the provider's usual one." },
    prompt: { type: 'textarea', label: 'Prompt', required: true },
    system_prompt: { type: 'textarea', label: 'System prompt' },
    schema: { type: 'json', label: 'Answer as JSON of this schema' },
    tools: {
      type: 'json',
      label: 'Tools',
      help: 'Actions of apps, and published workflows with the API call trigger.',
      placeholder: '[{"app": "gong", "action": "listCalls"}, {"workflow": "refund"}]',
    },
    mcp_servers: {
      type: 'json',
      label: 'MCP servers',
      placeholder: '[{"name": "docs", "url": "https://…"}]',
    },
    memory: {
      type: 'json',
      label: 'Memory',
      placeholder: '{"store": "chat", "identifier": "…", "last": 10}',
    },
    max_steps: { type: 'number', label: 'Steps at most', default: 10 },
    max_tokens: { type: 'number', label: 'Tokens at most', default: 200_000 },
    timeout_s: { type: 'number', label: 'Seconds at most', default: 300 },
  },
  settings: z.preprocess(withOtherNames, settings),
  logged: ({ mcp_servers: servers, ...rest }) => ({
    ...rest,
    mcp_servers: servers.map(({ name, url }) => ({ name, url: new URL(url).origin })),
  }),
  run: work,
  // A workflow that is one of its tools has ended: the transcript knows how far the agent was.
  resume: work,
});

/** Works from where the transcript ends. It is suspended while a workflow that it called runs. */
async function work(given: AgentSettings, ctx: NodeContext): Promise<NodeOutcome> {
  const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(given.timeout_s * 1000)]);
  const { agents } = ctx.services;
  const runKey = ctx.idempotencyKey;
  const memory = given.memory && { ...given.memory, linkedAccountId: ctx.linkedAccount.id };
  const servers: Awaited<ReturnType<typeof agents.mcpTools>>[] = [];
  try {
    for (const { query_params: query, ...server } of given.mcp_servers) {
      servers.push(await agents.mcpTools({ ...server, query }, { timeoutMs: 60_000, signal }));
    }
    const transcript = await agents.openTranscript(ctx.tenant, runKey);
    const { output, text } = await runAgent(
      {
        transcript,
        log: (level, line) => ctx.log(level, line),
        throwIfOver: () => signal.throwIfAborted(),
        ask: ({ model, ...request }) =>
          agents.ask(
            ctx.tenant,
            given.provider,
            { ...request, model: model === '' ? undefined : model },
            { timeoutMs: given.timeout_s * 1000, signal },
          ),
      },
      {
        model: given.model ?? '',
        system: given.system_prompt,
        prompt: given.prompt,
        memory: memory === undefined ? [] : await agents.recall(ctx.tenant, memory, memory.last, runKey),
        tools: unique([
          ...(await Promise.all(
            given.tools.map((each) =>
              'workflow' in each ? workflowToolOf(each, ctx) : actionToolOf(each, ctx, signal),
            ),
          )),
          ...servers.flatMap(({ tools }) => tools),
        ]),
        schema: given.schema,
        maxSteps: given.max_steps,
        maxTokens: given.max_tokens,
        maxAnswerTokens: given.max_answer_tokens,
      },
    );
    if (memory !== undefined) {
      await agents.remember(ctx.tenant, memory, { runKey, question: given.prompt, answer: text });
    }
    return done(output);
  } catch (error) {
    if (error instanceof Unfinished) {
      const { executionId } = error;
      return suspended({ reason: 'sub_flow', childExecutionId: executionId, state: { executionId } });
    }
    if (!signal.aborted || ctx.signal.aborted) throw error;
    throw new AppError(
      'agent_failed',
      { reason: `it took longer than ${given.timeout_s} s` },
      { cause: error },
    );
  } finally {
    await Promise.allSettled(servers.map(({ close }) => close()));
  }
}

/** A workflow that was called has not ended; nothing of the agent stays in memory until it has. */
class Unfinished extends Error {
  readonly executionId: string;

  constructor(executionId: string) {
    super('A workflow that the agent called has not ended.');
    this.executionId = executionId;
  }
}

/**
 * A workflow as a tool: its schema is the input, its Response the result. Each call is one child execution, found
 * again by its place in the transcript, so that no restart starts a second one.
 *
 * @throws AppError `agent_failed` for a workflow that cannot be one
 */
async function workflowToolOf({ workflow, description }: WorkflowTool, ctx: NodeContext): Promise<AgentTool> {
  const { subFlows } = ctx.services;
  const { tenant, linkedAccount, appSlug } = ctx;
  const described = await subFlows.describe({ tenant, workflow, linkedAccount, appSlug });
  if ('refusal' in described) throw new AppError('agent_failed', { reason: described.refusal });
  return {
    name: toolName(...(described.slug === undefined ? [] : [described.slug]), described.name, 'workflow'),
    description: description ?? described.description,
    parameters: described.parameters,
    effectOf: () => 'repeatable',
    async call(input, key) {
      const at = `${ctx.nodeId}:${key.slice(key.lastIndexOf(':') + 1)}`;
      const started = await subFlows.start({
        tenant,
        parent: {
          executionId: ctx.executionId,
          nodeId: ctx.nodeId,
          batch: placeIn(ctx.batch, at),
          firstBatch: placeIn(ctx.firstBatch, at),
          isAwaited: true,
        },
        workflow,
        payload: input,
        secrets: secretsIn(ctx.mask(input)),
        mode: ctx.mode,
        linkedAccount,
        configId: ctx.configId,
        appSlug,
      });
      if ('refusal' in started) return { text: started.refusal, isError: true };
      const child = await subFlows.result(tenant, started.executionId);
      if (child.state !== 'unfinished' && child.state !== 'gone') ctx.learnSecret(child.secrets);
      switch (child.state) {
        case 'unfinished':
          throw new Unfinished(started.executionId);
        case 'gone':
          return { text: 'Nothing is known any more of what the workflow gave.', isError: true };
        case 'completed':
          return { text: JSON.stringify(child.returnValue ?? null), isError: false };
        case 'terminated':
          return { text: JSON.stringify(child.returnValue ?? child.termination ?? null), isError: false };
        default: {
          const { message, body } = child.error;
          const words = message === '' ? `The workflow ended as ${child.state}.` : message;
          return { text: body === undefined ? words : `${words} ${JSON.stringify(body)}`, isError: true };
        }
      }
    },
  };
}

/** An action of an app, with the credential of the linked account, as a tool. */
async function actionToolOf(
  { app, action, description }: ActionTool,
  ctx: NodeContext,
  signal: AbortSignal,
): Promise<AgentTool> {
  const { services } = ctx;
  const described = await services.agents.describeAction(ctx.tenant, app, action);
  return {
    name: toolName(app, action),
    description: description ?? `${described.app}: ${described.label}. ${described.help}`,
    parameters: described.parameters,
    effectOf: (input, key) => described.effectOf(input, key),
    async call(input, key) {
      try {
        const result = await services.executeAction({
          tenant: ctx.tenant,
          linkedAccountId: ctx.linkedAccount.id,
          slug: app,
          actionId: action,
          input,
          idempotencyKey: key,
          signal,
        });
        const text = JSON.stringify(result.data ?? null);
        return { text: result.ok ? text : `Status ${result.status}: ${text}`, isError: !result.ok };
      } catch (error) {
        if (signal.aborted || !(error instanceof AppError)) throw error;
        return { text: error.message, isError: true };
      }
    },
  };
}

function unique(tools: readonly AgentTool[]): readonly AgentTool[] {
  const names = tools.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return tools;
  throw new AppError('agent_failed', {
    reason: `two of its tools are called "${twice}": rename an MCP server`,
  });
}

/** Spellings of other builders. */
function withOtherNames(given: unknown): unknown {
  if (typeof given !== 'object' || given === null) return given;
  const from = given as Record<string, unknown>;
  return {
    ...from,
    prompt: from['prompt'] ?? from['user_prompt'],
    schema: from['schema'] ?? from['output_schema'] ?? from['json_schema'],
    mcp_servers: from['mcp_servers'] ?? from['mcpServers'],
  };
}
