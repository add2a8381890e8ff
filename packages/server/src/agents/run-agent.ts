import { schemaCompiler } from '#domain/json-schema';
import { AppError } from '#domain/errors';
import type { Message, ModelReply, ModelRequest, ToolCall, ToolDefinition } from '#agents/model';
import type { Transcript } from '#agents/transcript';

/** A tool that an agent may use. */
export interface AgentTool extends ToolDefinition {
  /** What calling it does to the world; `once` is not called again when nobody knows whether it was. */
  effectOf(input: ToolCall['input'], key: string): 'read' | 'repeatable' | 'once';
  /** @param key - stays the same over restarts; sent to providers that take one */
  call(input: Readonly<Record<string, unknown>>, key: string): Promise<{ text: string; isError: boolean }>;
}

export interface AgentRun {
  readonly model: string;
  readonly system: string;
  readonly prompt: string;
  /** What was said before, oldest first. */
  readonly memory: readonly Message[];
  readonly tools: readonly AgentTool[];
  readonly schema?: Readonly<Record<string, unknown>> | undefined;
  readonly maxSteps: number;
  /** Over the whole run, as the provider counts them. */
  readonly maxTokens: number;
  readonly maxAnswerTokens: number;
}

export interface AgentDeps {
  ask(request: ModelRequest): Promise<ModelReply>;
  readonly transcript: Transcript;
  log(level: 'info' | 'warn', text: string): void;
  /** Stopped, timed out, or the lease is lost: throws then. */
  throwIfOver(): void;
}

const longestToolText = 50_000;
const compile = schemaCompiler();

/**
 * Lets a model work with tools until it answers. Every answer of the model and every call of a tool is in the transcript
 * before anything follows from it: a run that is taken over goes on where the transcript ends, asks nothing again and
 * calls no tool twice.
 *
 * @throws AppError `agent_failed` at a limit, or when the answer does not fit the schema twice
 */
export async function runAgent(deps: AgentDeps, run: AgentRun): Promise<{ output: unknown; text: string }> {
  const tools = new Map(run.tools.map((tool) => [tool.name, tool]));
  const definitions = run.tools.map(({ name, description, parameters }) => ({
    name,
    description,
    parameters,
  }));
  const messages: Message[] = [...run.memory, { role: 'user', text: run.prompt }];
  let tokens = 0;
  let hasRetried = false;
  for (let step = 1; step <= run.maxSteps; step += 1) {
    if (tokens >= run.maxTokens) throw ended(`it has used ${tokens} tokens, and may use ${run.maxTokens}`);
    deps.throwIfOver();
    const { value: reply } = await deps.transcript.next('reply', () =>
      deps.ask({
        model: run.model,
        system: run.system,
        messages,
        tools: definitions,
        maxTokens: run.maxAnswerTokens,
        schema: run.schema,
      }),
    );
    tokens += reply.tokens;
    deps.log(
      'info',
      `Step ${step}: ${reply.calls.length === 0 ? 'an answer' : reply.calls.map(({ name }) => name).join(', ')} (${tokens} tokens so far)`,
    );
    messages.push({ role: 'assistant', text: reply.text, calls: reply.calls });
    if (reply.calls.length > 0) {
      for (const call of reply.calls) messages.push(await useTool(deps, tools.get(call.name), call));
      continue;
    }
    if (run.schema === undefined) return { output: reply.text, text: reply.text };
    const read = readAnswer(reply.text, run.schema);
    if ('output' in read) return { output: read.output, text: reply.text };
    if (hasRetried) throw ended(`its answer does not fit the schema: ${read.problem}`);
    hasRetried = true;
    deps.log('warn', `The answer does not fit the schema: ${read.problem}. The model is asked once more.`);
    messages.push({
      role: 'user',
      text: `Your answer does not fit the JSON Schema: ${read.problem}. Answer again, with the JSON only.`,
    });
  }
  throw ended(`it has used its ${run.maxSteps} steps without an answer`);
}

async function useTool(deps: AgentDeps, tool: AgentTool | undefined, call: ToolCall): Promise<Message> {
  const say = (text: string, isError: boolean): Message => ({
    role: 'tool',
    callId: call.id,
    text: text.slice(0, longestToolText),
    isError,
  });
  if (tool === undefined) return say(`There is no tool "${call.name}".`, true);
  if (call.isUnreadable === true) return say('The input is not a JSON object. Call the tool again.', true);
  const problem = problemOf(call.input, tool.parameters);
  if (problem !== undefined) return say(`The input does not fit: ${problem}.`, true);
  deps.throwIfOver();
  const started = await deps.transcript.next('call', () => Promise.resolve({ name: call.name }));
  const { value: result } = await deps.transcript.next('result', async () => {
    if (!started.isNew && tool.effectOf(call.input, started.key) === 'once') {
      deps.log(
        'warn',
        `Nobody knows whether ${call.name} was called before a restart: it is not called again.`,
      );
      return {
        text: 'The connection was lost during this call. It may have happened or not; it is not repeated.',
        isError: true,
      };
    }
    return tool.call(call.input, started.key);
  });
  deps.log(result.isError ? 'warn' : 'info', `${call.name} ${result.isError ? 'failed' : 'answered'}.`);
  return say(result.text, result.isError);
}

function readAnswer(
  text: string,
  schema: Readonly<Record<string, unknown>>,
): { output: unknown } | { problem: string } {
  const json = /^```(?:json)?\s*([\s\S]*?)\s*```$/.exec(text.trim())?.[1] ?? text;
  try {
    const output: unknown = JSON.parse(json);
    const problem = problemOf(output, schema);
    return problem === undefined ? { output } : { problem };
  } catch {
    return { problem: 'it is not JSON' };
  }
}

function problemOf(value: unknown, schema: Readonly<Record<string, unknown>>): string | undefined {
  const faults = compile(schema)(value);
  if (faults.length === 0) return undefined;
  return faults
    .slice(0, 5)
    .map(
      ({ instancePath, message }) =>
        `${instancePath === '' ? 'the value' : instancePath} ${message ?? 'is wrong'}`,
    )
    .join('; ');
}

function ended(reason: string): AppError {
  return new AppError('agent_failed', { reason });
}
