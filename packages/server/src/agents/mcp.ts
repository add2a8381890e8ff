import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { AppError } from '#domain/errors';
import type { AgentTool } from '#agents/run-agent';
import type { Outbound } from '#outbound/index';

export interface McpServer {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

const mostTools = 100;

/**
 * The tools of an MCP server, by the official client; every byte of it leaves by the guarded door.
 *
 * @throws AppError `agent_failed` naming the server
 */
export async function mcpTools(
  deps: { readonly outbound: Pick<Outbound, 'send'> },
  server: McpServer,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<{ tools: AgentTool[]; close: () => Promise<void> }> {
  const url = new URL(server.url);
  for (const [name, value] of Object.entries(server.query)) url.searchParams.set(name, value);
  const client = new Client({ name: 'inlay', version: '1.0.0' });
  const transport = new StreamableHTTPClientTransport(url, {
    fetch: guardedFetch(deps, server, options),
    requestInit: { headers: { ...server.headers } },
  });
  const close = (): Promise<void> => client.close();
  try {
    await client.connect(transport, { timeout: options.timeoutMs });
    const { tools } = await client.listTools(undefined, { timeout: options.timeoutMs });
    return {
      close,
      tools: tools.slice(0, mostTools).map((tool) => ({
        name: toolName(server.name, tool.name),
        description: tool.description ?? tool.title ?? tool.name,
        parameters: tool.inputSchema,
        effectOf: () => effectOf(tool.annotations),
        async call(input) {
          const result = await client.callTool({ name: tool.name, arguments: { ...input } }, undefined, {
            timeout: options.timeoutMs,
            signal: options.signal,
          });
          return { text: textOf(result), isError: result.isError === true };
        },
      })),
    };
  } catch (error) {
    await close().catch(() => undefined);
    if (options.signal.aborted) throw error;
    throw new AppError(
      'agent_failed',
      { reason: `the MCP server "${server.name}" does not answer as one` },
      { cause: error },
    );
  }
}

/** Names of tools are words; two servers may have tools of one name. */
export function toolName(...parts: readonly string[]): string {
  return parts
    .join('_')
    .replaceAll(/[^\w-]/g, '_')
    .slice(0, 64);
}

function effectOf(
  hints: { readOnlyHint?: boolean | undefined; idempotentHint?: boolean | undefined } | undefined,
) {
  if (hints?.readOnlyHint === true) return 'read';
  return hints?.idempotentHint === true ? 'repeatable' : 'once';
}

function textOf(result: object): string {
  const { content, structuredContent } = result as { content?: unknown; structuredContent?: unknown };
  if (structuredContent !== undefined) return JSON.stringify(structuredContent);
  if (!Array.isArray(content)) return JSON.stringify(result);
  return content
    .map((part: { type?: string; text?: string }) =>
      part.type === 'text' ? (part.text ?? '') : `[${part.type ?? 'content'} that is not text]`,
    )
    .join('\n');
}

/** `fetch` for the client, over `outbound`. Headers with secrets go to the server's own host only. */
function guardedFetch(
  deps: { readonly outbound: Pick<Outbound, 'send'> },
  server: McpServer,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
) {
  const { origin } = new URL(server.url);
  return async (input: string | URL, init: RequestInit = {}): Promise<Response> => {
    const method = init.method ?? 'GET';
    // A server that wants to push would hold the connection open; requests carry everything that is needed here.
    if (method === 'GET') return new Response(null, { status: 405 });
    const given = Object.fromEntries(new Headers(init.headers as Record<string, string>));
    const own = new Set(Object.keys(server.headers).map((name) => name.toLowerCase()));
    const pick = (isOwn: boolean) =>
      Object.fromEntries(Object.entries(given).filter(([name]) => own.has(name) === isOwn));
    const answer = await deps.outbound.send({
      method,
      url: input,
      headers: pick(false),
      ...(typeof init.body === 'string' && { body: init.body }),
      credential: { isFor: (url) => url.origin === origin, placement: { headers: pick(true) } },
      timeoutMs,
      maxAttempts: 1,
      maxRedirects: 0,
      signal,
      app: `the MCP server "${server.name}"`,
    });
    const hasBody = answer.body.length > 0 && ![204, 205, 304].includes(answer.status);
    return new Response(hasBody ? new Uint8Array(answer.body) : null, {
      status: answer.status,
      headers: { ...answer.headers },
    });
  };
}
