import dns from 'node:dns/promises';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher, type FormData, request as undiciRequest } from 'undici';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { createAddressPolicy } from '#outbound/address-policy';
import { decoded, joinedHeaders, readUpTo, streamed, type OutboundStream } from '#outbound/answer';
import {
  type BudgetStore,
  type CallBudget,
  createCallBudgets,
  memoryBudgetStore,
} from '#outbound/call-budget';
import { guardedConnector, type Resolve } from '#outbound/connector';
import { described } from '#outbound/fault';
import { guardedSocket, type SocketTarget } from '#outbound/guarded-socket';
import { redactedUrl } from '#outbound/redact';
import { type Hop, redirectedTo } from '#outbound/redirect';
import { type Effect, type Failure, maxAttempts, nextDelayMs, parseRetryAfter } from '#outbound/retry';
import { type ClientTls, tlsAgents } from '#outbound/tls-agents';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a credential adds to a request. */
export interface CredentialPlacement {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
}

/** A secret, and the only hosts that may see it. */
export interface BoundCredential {
  isFor(url: URL): boolean;
  readonly placement: CredentialPlacement;
  /** The body holds (some of) the secret, too: it is not redirected to where the credential may not go. */
  readonly isInBody?: boolean;
}

export interface OutboundRequest {
  readonly method: string;
  readonly url: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream can be sent once only: such a request is never resent, and a 307 or 308 ends it. */
  readonly body?: string | Buffer | Readable | FormData;
  /** For everything: waiting for the budget, redirects, retries. Default 30 s. */
  readonly timeoutMs?: number;
  /** Default 10 MiB, counted after decompression. */
  readonly maxResponseBytes?: number;
  /** 0 answers redirects as they are. Default 5. */
  readonly maxRedirects?: number;
  readonly signal?: AbortSignal;
  readonly credential?: BoundCredential;
  readonly budget?: CallBudget;
  /** Default `once`: an attempt with an unknown outcome is not resent. */
  readonly effect?: Effect;
  /** 1: the caller plans every further attempt itself. Default 3. */
  readonly maxAttempts?: number;
  readonly tls?: ClientTls | undefined;
  /** Named in errors in place of the host. */
  readonly app?: string;
}

export interface OutboundResponse {
  readonly status: number;
  /** Names in lower case; repeated ones joined by ", " (`set-cookie` too). */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Where the answer came from, after redirects. */
  readonly url: string;
  /** What `Retry-After` asks, when present. */
  readonly retryAfterMs?: number;
}

/** One finished attempt for the log and for metrics; it holds no query, header, body or secret. */
export interface CallRecord {
  readonly method: string;
  readonly url: string;
  readonly attempt: number;
  readonly durationMs: number;
  readonly status?: number;
  readonly error?: string;
}

export interface Outbound {
  /**
   * Sends a request to a third party. Every status is an answer.
   *
   * @throws AppError `egress_forbidden`, `egress_timeout`, `egress_response_too_large`, `provider_unreachable`,
   * `rate_limited`. An abort by the caller's signal throws that signal's reason.
   */
  send(request: OutboundRequest): Promise<OutboundResponse>;
  /**
   * Opens a body of any size for reading. `timeoutMs` counts up to the answer's headers and then for every silence
   * of the body; nothing is retried, and nothing is limited but by the reader.
   *
   * @throws AppError `egress_forbidden`, `egress_timeout`, `provider_unreachable`, `rate_limited`
   */
  open(
    request: Partial<Pick<OutboundRequest, 'method' | 'body'>> &
      Pick<
        OutboundRequest,
        'url' | 'headers' | 'timeoutMs' | 'signal' | 'maxRedirects' | 'tls' | 'credential' | 'budget' | 'app'
      >,
  ): Promise<OutboundStream>;
  /**
   * Connects to a checked address, for protocols other than HTTP (SMTP, SFTP). The caller ends the socket.
   *
   * @throws AppError `egress_forbidden`, `egress_timeout`, `provider_unreachable`
   */
  connect(target: SocketTarget): Promise<Socket>;
  close(): Promise<void>;
}

export interface OutboundOptions {
  /** INLAY_EGRESS_ALLOW, see `createAddressPolicy`. */
  readonly allow: readonly string[];
  readonly clock: Clock;
  readonly budgets?: BudgetStore;
  readonly onCall?: (record: CallRecord) => void;
  readonly resolve?: Resolve;
  readonly userAgent?: string;
}

const defaultTimeoutMs = 30_000;
const defaultMaxBytes = 10 * 1024 * 1024;
const defaultMaxRedirects = 5;
/** Longer waits asked by a provider are the caller's to plan: it gets the answer and `retryAfterMs`. */
const longestWaitMs = 10_000;

interface Attempt {
  readonly request: OutboundRequest;
  readonly url: URL;
  readonly signal: AbortSignal;
}

/** Opens the only door to third parties. */
export function createOutbound(options: OutboundOptions): Outbound {
  const { clock } = options;
  const userAgent = options.userAgent ?? 'Inlay';
  const budgets = createCallBudgets({ store: options.budgets ?? memoryBudgetStore(clock), clock });
  const guard = {
    policy: createAddressPolicy(options.allow),
    resolve: options.resolve ?? ((hostname: string) => dns.lookup(hostname, { all: true, verbatim: true })),
    clock,
  };
  const connector = guardedConnector(guard);
  const pool = {
    connections: 128,
    // Node's own servers close idle sockets after 5 s; reusing one at that moment would lose a `once` call.
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 60_000,
  };
  const agent = new Agent({ ...pool, connect: connector });
  const withTls = tlsAgents((tls) => guardedConnector({ ...guard, tls }), pool);

  async function send(request: OutboundRequest): Promise<OutboundResponse> {
    const url = parseUrl(request.url);
    const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
    const untilMs = clock.now().getTime() + timeoutMs;
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), timeoutMs);
    const signal =
      request.signal === undefined ? timeout.signal : AbortSignal.any([request.signal, timeout.signal]);
    try {
      return await sendUntilSettled({ request, url, signal }, untilMs);
    } catch (error) {
      if (request.signal?.aborted === true) throw request.signal.reason;
      if (timeout.signal.aborted && !(error instanceof AppError)) {
        throw new AppError('egress_timeout', { host: url.host, timeoutMs }, { cause: error });
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async function sendUntilSettled(attempt: Attempt, untilMs: number): Promise<OutboundResponse> {
    const { request, signal } = attempt;
    const effect = isStream(request.body) ? 'once' : (request.effect ?? 'once');
    for (let number = 1; ; number += 1) {
      if (request.budget !== undefined) await budgets.take(request.budget, untilMs, signal);
      const outcome = await observed(attempt, number);
      if (outcome.failure === undefined) return outcome.response;
      const { failure } = outcome;
      if (request.budget !== undefined && failure.kind === 'status' && failure.status === 429) {
        await budgets.pause(request.budget.key, failure.retryAfterMs ?? 1_000);
      }
      const mayResend = number < (request.maxAttempts ?? maxAttempts);
      const delayMs = mayResend ? nextDelayMs(number, effect, failure, Math.random()) : undefined;
      if (delayMs === undefined || delayMs > longestWaitMs || clock.now().getTime() + delayMs > untilMs) {
        if (outcome.response !== undefined) return outcome.response;
        throw outcome.error;
      }
      await sleep(delayMs, undefined, { signal });
    }
  }

  type Outcome =
    | { readonly response: OutboundResponse; readonly failure?: undefined }
    | { readonly response: OutboundResponse; readonly failure: Failure }
    | { readonly response?: undefined; readonly failure: Failure; readonly error: AppError };

  async function observed(attempt: Attempt, number: number): Promise<Outcome> {
    const startedAt = performance.now();
    const record = (end: Pick<CallRecord, 'status' | 'error'>): void =>
      options.onCall?.({
        method: attempt.request.method,
        url: redactedUrl(attempt.url),
        attempt: number,
        durationMs: performance.now() - startedAt,
        ...end,
      });
    try {
      const response = await followed(attempt, collected);
      record({ status: response.status });
      const { status, retryAfterMs } = response;
      const isRefusal = status === 429 || status >= 500;
      return isRefusal ? { response, failure: { kind: 'status', status, retryAfterMs } } : { response };
    } catch (error) {
      const known = attempt.signal.aborted ? error : described(error, attempt);
      record({ error: known instanceof AppError ? known.code : 'aborted' });
      if (!(known instanceof AppError) || known.code !== 'provider_unreachable') throw known;
      const { wasNotSent } = known.details as { wasNotSent?: boolean };
      return { failure: { kind: 'network', wasNotSent: wasNotSent === true }, error: known };
    }
  }

  async function open(request: Parameters<Outbound['open']>[0]): Promise<OutboundStream> {
    const url = parseUrl(request.url);
    const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), timeoutMs);
    const signal =
      request.signal === undefined ? timeout.signal : AbortSignal.any([request.signal, timeout.signal]);
    // What was packed for the way is not what the file is: ask for it as it is.
    const headers = { 'accept-encoding': 'identity', ...request.headers };
    const method = request.method ?? 'GET';
    const attempt = { request: { ...request, headers, method }, url, signal };
    const startedAt = performance.now();
    const record = (end: Pick<CallRecord, 'status' | 'error'>): void =>
      options.onCall?.({
        method,
        url: redactedUrl(url),
        attempt: 1,
        durationMs: performance.now() - startedAt,
        ...end,
      });
    try {
      if (request.budget !== undefined) {
        await budgets.take(request.budget, clock.now().getTime() + timeoutMs, signal);
      }
      const opened = await followed(attempt, async (response, at) => streamed(response, at), timeoutMs);
      record({ status: opened.status });
      return opened;
    } catch (error) {
      if (request.signal?.aborted === true) throw request.signal.reason;
      const known = timeout.signal.aborted
        ? new AppError('egress_timeout', { host: url.host, timeoutMs }, { cause: error })
        : described(error, attempt);
      record({ error: known instanceof AppError ? known.code : 'unknown' });
      throw known;
    } finally {
      clearTimeout(timer);
    }
  }

  async function followed<T>(
    attempt: Attempt,
    take: (response: Dispatcher.ResponseData, url: URL, request: OutboundRequest) => Promise<T>,
    silenceMs = 0,
  ): Promise<T> {
    const { request, url } = attempt;
    let hop: Hop = {
      method: request.method.toUpperCase(),
      url,
      headers: lowerCased(request.headers),
      hasBody: request.body !== undefined,
    };
    if (request.credential !== undefined && !request.credential.isFor(url)) {
      throw new AppError('egress_forbidden', {
        host: url.host,
        reason: 'the credential of this connection may not be sent there',
      });
    }
    for (let left = request.maxRedirects ?? defaultMaxRedirects; ; left -= 1) {
      const response = await oneHop(attempt, hop, silenceMs);
      const next = redirectedTo(hop, response.statusCode, first(response.headers['location']));
      if (next === undefined || left <= 0) {
        if (next !== undefined && request.maxRedirects !== 0) {
          await response.body.dump();
          throw new AppError('provider_unreachable', {
            app: request.app ?? url.host,
            reason: 'it redirected too many times',
          });
        }
        return await take(response, hop.url, request);
      }
      await response.body.dump();
      if (next.hasBody && isStream(request.body)) {
        throw new AppError('provider_unreachable', {
          app: request.app ?? url.host,
          reason: 'it redirected an upload, which can be sent once only',
        });
      }
      const { credential } = request;
      if (next.hasBody && credential?.isInBody === true && !placementFor(credential, url, next.url)) {
        throw new AppError('provider_unreachable', {
          app: request.app ?? url.host,
          reason: 'it redirected a request whose body proves the account to another host',
        });
      }
      hop = { ...next, url: parseUrl(next.url) };
    }
  }

  function oneHop(attempt: Attempt, hop: Hop, silenceMs: number): Promise<Dispatcher.ResponseData> {
    const { request, signal } = attempt;
    const placement = placementFor(request.credential, attempt.url, hop.url);
    let target = hop.url;
    if (placement?.query !== undefined) {
      target = new URL(target);
      for (const [name, value] of Object.entries(placement.query)) target.searchParams.set(name, value);
    }
    return undiciRequest(target, {
      // A certificate is shown to the host it was meant for, not to where that host redirects.
      dispatcher:
        request.tls === undefined || hop.url.host !== attempt.url.host ? agent : withTls.of(request.tls),
      method: hop.method,
      headers: {
        'user-agent': userAgent,
        'accept-encoding': 'gzip',
        ...hop.headers,
        ...lowerCased(placement?.headers),
      },
      body: hop.hasBody ? (request.body ?? null) : null,
      signal,
      headersTimeout: 0,
      bodyTimeout: silenceMs,
    });
  }

  async function collected(
    response: Dispatcher.ResponseData,
    url: URL,
    request: OutboundRequest,
  ): Promise<OutboundResponse> {
    const limit = request.maxResponseBytes ?? defaultMaxBytes;
    const headers = joinedHeaders(response);
    const raw = await readUpTo(response.body, limit, url);
    const body = await decoded(raw, headers['content-encoding'], limit, url);
    if (body !== raw) delete headers['content-encoding'];
    const retryAfterMs = parseRetryAfter(headers['retry-after'], clock.now());
    return {
      status: response.statusCode,
      headers,
      body,
      url: url.href,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  }

  return {
    send,
    open,
    connect: guardedSocket(connector),
    close: async () => void (await Promise.all([agent.close(), withTls.close()])),
  };
}

function parseUrl(input: string | URL): URL {
  let url: URL;
  try {
    url = new URL(input);
  } catch {
    throw new AppError('egress_forbidden', { host: '', reason: 'the address is not an absolute URL' });
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new AppError('egress_forbidden', {
      host: url.host,
      reason: `"${url.protocol}" is not http or https`,
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new AppError('egress_forbidden', {
      host: url.host,
      reason: 'a URL must not hold a user name or password',
    });
  }
  return url;
}

/** A credential goes to its own hosts only, on every hop anew, and never from https down to http. */
function placementFor(
  credential: BoundCredential | undefined,
  start: URL,
  here: URL,
): CredentialPlacement | undefined {
  if (credential === undefined || !credential.isFor(here)) return undefined;
  return start.protocol === 'https:' && here.protocol !== 'https:' ? undefined : credential.placement;
}

function lowerCased(headers: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function isStream(body: OutboundRequest['body']): boolean {
  return typeof body === 'object' && 'pipe' in body && typeof body.pipe === 'function';
}
