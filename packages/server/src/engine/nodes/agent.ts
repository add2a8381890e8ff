import { z } from 'zod';
import { runAgent, toolName, type AgentTool } from '#agents/index';
import { AppError } from '#domain/errors';
import { done, nodeType, type NodeContext } from '#engine/nodes/node-type';

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

const actionTool = z.object({
  app: z.string({ error: 'name the app by its slug' }).min(1),
  action: z.string({ error: 'name the action' }).min(1),
  description: z.string().max(2_000).optional(),
});

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
    z.array(actionTool, { error: 'is not a list of {"app", "action"}' }).max(limits.tools).default([]),
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
  help: 'A language model that answers, and may use app actions and MCP servers on the way.',
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
      label: 'App actions it may use',
      placeholder: '[{"app": "gong", "action": "listCalls"}]',
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
  async run(given, ctx) {
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
            ...given.tools.map((tool) => actionToolOf(tool, ctx, signal)),
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
      if (!signal.aborted || ctx.signal.aborted) throw error;
      throw new AppError(
        'agent_failed',
        { reason: `it took longer than ${given.timeout_s} s` },
        { cause: error },
      );
    } finally {
      await Promise.allSettled(servers.map(({ close }) => close()));
    }
  },
});

/** An action of an app, with the credential of the linked account, as a tool. */
function actionToolOf(
  { app, action, description }: z.output<typeof actionTool>,
  ctx: NodeContext,
  signal: AbortSignal,
): AgentTool {
  const { services } = ctx;
  const described = services.agents.describeAction(app, action);
  return {
    name: toolName(app, action),
    description: description ?? `${described.app}: ${described.label}. ${described.help}`,
    parameters: described.parameters,
    effectOf: (input, key) =>
      services.actionEffect({ slug: app, actionId: action, input, idempotencyKey: key }),
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
