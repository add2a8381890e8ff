/**
 * Recordings: what was asked, what the provider answered, what came out. They replay without a network, so
 * every connector is tested by one test, on what its provider really says.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Connector } from '#kit/connector';
import { InputError, ProviderError } from '#kit/errors';
import { isRecord, type Values } from '#kit/json';
import { checkConnection, loadOptions, type PollResult, pollTrigger } from '#kit/live';
import type { ApiRequest, ApiResponse, HttpPort } from '#kit/request';
import { runAction } from '#kit/run';

interface RecordedCall {
  readonly request: Omit<ApiRequest, 'effect'>;
  readonly response: ApiResponse;
}

export interface Recording {
  /** The time the run believes in, ISO 8601. */
  readonly now: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly idempotencyKey?: string;
  readonly calls: readonly RecordedCall[];
  /** A success's data; a failure has `error` in its place. */
  readonly output?: unknown;
  readonly error?: RecordedError;
}

type RecordedError =
  | { readonly status: number; readonly body: unknown; readonly retryAfterMs?: number }
  | { readonly code: string; readonly parameter: string };

/** What a recording is of: its file is `<subject>.<case>.json`. */
export type Subject =
  | { readonly of: 'action'; readonly id: string }
  | { readonly of: 'options'; readonly id: string }
  | { readonly of: 'poll'; readonly id: string }
  | { readonly of: 'check'; readonly id: '' };

/** Reads `createCall.ok.json`, `options.users.ok.json`, `poll.callProcessed.ok.json` or `check.ok.json`. */
export function subjectOf(fileName: string): Subject | undefined {
  const match = /^(?:(options|poll)\.)?([A-Za-z]\w*)\.[a-z0-9-]+\.json$/.exec(fileName);
  if (match === null) return undefined;
  const [, of, id = ''] = match;
  if (of === 'options' || of === 'poll') return { of, id };
  return id === 'check' ? { of: 'check', id: '' } : { of: 'action', id };
}

type Outcome = Pick<Recording, 'output' | 'error'>;

/** Runs a subject against a port, and says what came out as a recording has it. */
async function run(
  connector: Connector,
  subject: Subject,
  given: Pick<Recording, 'now' | 'input' | 'idempotencyKey'>,
  http: HttpPort,
): Promise<Outcome> {
  try {
    if (subject.of === 'options')
      return { output: await loadOptions(connector, subject.id, given.input, http) };
    if (subject.of === 'poll') return { output: await runPoll(connector, subject.id, given.input, http) };
    if (subject.of === 'check')
      return { output: await checkConnection(connector, http, { meta: {}, vars: {} }) };
    return await runRecordedAction(connector, subject.id, given, http);
  } catch (error) {
    if (error instanceof ProviderError) return { error: providerRefusal(error) };
    if (error instanceof InputError) return { error: { code: error.code, parameter: error.parameter } };
    throw error;
  }
}

function runPoll(
  connector: Connector,
  id: string,
  input: Recording['input'],
  http: HttpPort,
): Promise<PollResult> {
  const { since, until, ...params } = input;
  return pollTrigger(connector, id, { since: String(since), until: String(until), params }, http);
}

async function runRecordedAction(
  connector: Connector,
  id: string,
  given: Pick<Recording, 'now' | 'input' | 'idempotencyKey'>,
  http: HttpPort,
): Promise<Outcome> {
  const result = await runAction(connector, id, given.input, http, {
    now: new Date(given.now),
    ...(given.idempotencyKey !== undefined && { idempotencyKey: given.idempotencyKey }),
  });
  return result.ok ? { output: result.data } : { error: providerRefusal(result.error) };
}

function providerRefusal(error: ProviderError): RecordedError {
  const { status, body, retryAfterMs } = error;
  return { status, body, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** Replays a recording and lists what differs; an empty list is a pass. */
export async function replay(
  connector: Connector,
  subject: Subject,
  recording: Recording,
): Promise<string[]> {
  const problems: string[] = [];
  let next = 0;
  const http: HttpPort = {
    async send({ effect: _notOnTheWire, ...request }) {
      const call = recording.calls[next];
      next += 1;
      if (call === undefined) {
        throw new UnexpectedCall(`call ${next} was not expected: ${request.method} ${request.path}`);
      }
      const sent = plain(request);
      if (!isDeepStrictEqual(sent, call.request)) {
        problems.push(
          `call ${next} differs: sent ${JSON.stringify(sent)}, recorded ${JSON.stringify(call.request)}`,
        );
      }
      return call.response;
    },
  };
  let outcome: Outcome;
  try {
    outcome = plain(await run(connector, subject, recording, http));
  } catch (error) {
    return [...problems, error instanceof Error ? error.message : String(error)];
  }
  const unused = recording.calls.length - next;
  if (unused > 0) problems.push(`${unused} recorded call(s) were not made`);
  const expected: Outcome = {
    ...('output' in recording && { output: recording.output }),
    ...(recording.error !== undefined && { error: recording.error }),
  };
  if (!isDeepStrictEqual(outcome, expected)) {
    problems.push(
      `the outcome differs: got ${JSON.stringify(outcome)}, recorded ${JSON.stringify(expected)}`,
    );
  }
  return problems;
}

class UnexpectedCall extends Error {}

/** As JSON has it: recordings are files, and undefined is not in files. */
function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** Runs a subject for real and returns the recording, redacted. */
export async function record(
  connector: Connector,
  subject: Subject,
  given: Pick<Recording, 'now' | 'input' | 'idempotencyKey'>,
  http: HttpPort,
  secrets: readonly string[],
): Promise<Recording> {
  const calls: RecordedCall[] = [];
  const recorder: HttpPort = {
    async send(request) {
      const { effect: _notOnTheWire, ...sent } = request;
      const response = await http.send(request);
      calls.push({ request: plain(sent), response: { ...response, headers: actedOn(response.headers) } });
      return response;
    },
  };
  const outcome = await run(connector, subject, given, recorder);
  return redact(plain({ ...given, calls, ...outcome }), secrets);
}

/** The headers the kit reads; all others are noise in a diff and may identify somebody. */
const ACTED_ON = new Set(['retry-after', 'link']);

function actedOn(headers: Values): Values {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => ACTED_ON.has(name)));
}

const EMAIL = /[\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/gi;
/** Domains that belong to nobody (RFC 2606, RFC 6761). */
const NOBODY = /@(?:[a-z0-9-]+\.)*(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)$/i;
const TOKEN = /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\b(?:whsec_|sk_|xox[abp]-|gh[pousr]_)[\w+/=-]{8,}/g;

/** Replaces secrets, tokens and people's e-mail addresses, each by the same stand-in wherever it appears. */
export function redact<T>(value: T, secrets: readonly string[] = []): T {
  const people = new Map<string, string>();
  const person = (email: string): string => {
    if (NOBODY.test(email)) return email;
    const known = people.get(email.toLowerCase()) ?? `person${people.size + 1}@example.com`;
    people.set(email.toLowerCase(), known);
    return known;
  };
  const clean = (text: string): string =>
    secrets
      .filter((secret) => secret.length >= 4)
      .toSorted((a, b) => b.length - a.length) // "Bearer abc" before "abc"
      .reduce((out, secret) => out.replaceAll(secret, '[secret]'), text)
      .replaceAll(TOKEN, '[token]')
      .replaceAll(EMAIL, person);
  return walk(value, clean) as T;
}

function walk(value: unknown, clean: (text: string) => string): unknown {
  if (typeof value === 'string') return clean(value);
  if (Array.isArray(value)) return value.map((entry) => walk(entry, clean));
  if (isRecord(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [clean(key), walk(entry, clean)]));
  }
  return value;
}
