import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { AppError } from '#domain/errors';
import type { Outbound } from '#outbound/index';

/** Requests of customer code: they leave by the same guarded door as everything else, without any credential. */
const requestSchema = z.object({
  id: z.number().int(),
  url: z.string().max(16_384),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']),
  headers: z.record(
    z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,200}$/),
    z.string().regex(/^[^\r\n\0]{0,16384}$/),
  ),
  body: z.string().optional(),
  /** The body as bytes, in place of `body`. */
  base64: z.base64().optional(),
  /** What the code itself would wait; never more than the run may take. */
  timeoutMs: z.number().positive().optional(),
});

/** Set by the connection itself; letting code set them is how requests get smuggled. */
const connectionHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const limits = { responseBytes: 10 * 1024 * 1024, requestsPerRun: 1_000, atOnce: 10 };

/**
 * Answers the requests of one run. Every fault becomes an error inside the code; nothing that comes from the
 * isolate is trusted, and the text of an error names no more than the host.
 */
export function httpBridge(deps: { outbound: Pick<Outbound, 'send'> }, timeoutMs: number) {
  let asked = 0;
  let open = 0;
  return async (text: string, signal: AbortSignal): Promise<string> => {
    const id = readId(text);
    asked += 1;
    open += 1;
    try {
      if (asked > limits.requestsPerRun)
        throw new Refused(`More than ${limits.requestsPerRun} requests in one run.`);
      if (open > limits.atOnce)
        throw new Refused(`More than ${limits.atOnce} requests at once. Await some of them first.`);
      return await send(deps, text, timeoutMs, signal);
    } catch (error) {
      return JSON.stringify({ id, error: errorText(error) });
    } finally {
      open -= 1;
    }
  };
}

class Refused extends Error {}

async function send(
  deps: { outbound: Pick<Outbound, 'send'> },
  text: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string> {
  const read = requestSchema.safeParse(JSON.parse(text));
  if (!read.success) {
    throw new Refused(
      `The request cannot be sent: ${read.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')}`,
    );
  }
  const { id, url, method, headers, base64 } = read.data;
  const body = base64 === undefined ? read.data.body : Buffer.from(base64, 'base64');
  const response = await deps.outbound.send({
    method,
    url: readUrl(url),
    headers: Object.fromEntries(
      Object.entries(headers).filter(([name]) => !connectionHeaders.has(name.toLowerCase())),
    ),
    ...(body === undefined || method === 'GET' || method === 'HEAD' ? {} : { body }),
    timeoutMs: Math.min(timeoutMs, read.data.timeoutMs ?? timeoutMs),
    maxResponseBytes: limits.responseBytes,
    signal,
  });
  return JSON.stringify({
    id,
    status: response.status,
    headers: response.headers,
    url: response.url,
    ...(isUtf8(response.body)
      ? { body: response.body.toString('utf8') }
      : { base64: response.body.toString('base64') }),
  });
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    throw new Refused(`"${text.slice(0, 200)}" is not an absolute http(s) address.`);
  }
  return url;
}

function errorText(error: unknown): string {
  if (error instanceof AppError || error instanceof Refused) return error.message;
  return 'The request failed.';
}

function readId(text: string): number {
  const { id } = JSON.parse(text) as { id?: unknown };
  return typeof id === 'number' ? id : -1;
}
