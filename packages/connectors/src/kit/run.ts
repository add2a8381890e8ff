/** Running an action against a port. Pure but for the port: same input and answers, same calls and output. */
import type { Action, RunContext } from '#kit/action';
import type { Connector } from '#kit/connector';
import { InputError, ProviderError } from '#kit/errors';
import { field, type Fields } from '#kit/field';
import { parseInput } from '#kit/input';
import { at } from '#kit/json';
import { firstPage, nextPage, type Pages } from '#kit/paging';
import type { ApiRequest, ApiResponse, Effect, HttpPort } from '#kit/request';

export interface RunOptions {
  /** The time of the action; recordings fix it. */
  readonly now?: Date;
  /** Same key, same attempt: sent in the action's `idempotencyHeader`. */
  readonly idempotencyKey?: string;
}

/** What came of an action. A refusal by the provider is an outcome, not an exception. */
export type ActionOutput =
  | {
      readonly ok: true;
      /** Status of the last answer. */
      readonly status: number;
      readonly data: unknown;
      /** The list was cut at its limit; there is more at the provider. */
      readonly isTruncated: boolean;
    }
  | { readonly ok: false; readonly error: ProviderError };

const DEFAULT_ROWS = 1_000;
export const MAX_ROWS = 10_000;
const MAX_PAGES = 1_000;

const limitField = field.number({
  label: 'Limit',
  help: `Stop after this many rows; at most ${MAX_ROWS}.`,
  default: DEFAULT_ROWS,
});

/** The action by id. @throws InputError `unknown_action` */
export function findAction(connector: Connector, actionId: string): Action {
  const found = Object.hasOwn(connector.actions, actionId) ? connector.actions[actionId] : undefined;
  if (found !== undefined) return found;
  throw new InputError(
    'unknown_action',
    actionId,
    `Action ${actionId} not found in Application ${connector.slug}`,
  );
}

/** An action's fields as callers see them: its own, and `limit` when it returns pages of rows. */
export function fieldsOf(action: Action): Fields {
  return action.pages === undefined || 'limit' in action.input
    ? action.input
    : { ...action.input, limit: limitField };
}

/** What resending this call would do; an idempotency header protects only when there is a key to put into it. */
export function effectOf(
  action: Action,
  input: Readonly<Record<string, unknown>>,
  idempotencyKey: string | undefined,
): Effect {
  const declared = typeof action.effect === 'function' ? action.effect(input as never) : action.effect;
  if (action.idempotencyHeader === undefined) return declared;
  return idempotencyKey === undefined ? 'once' : 'repeatable';
}

/** The effect to plan with before the input is known: the worst it may be. */
export function worstEffect(action: Action): Effect {
  return typeof action.effect === 'function' ? 'once' : action.effect;
}

/**
 * Validates the input, makes the action's calls through the port and returns its data.
 *
 * @throws InputError when the input or the action id is wrong (nothing was sent), and whatever the port throws
 * when no answer came. A provider's refusal is returned as `{ ok: false }`.
 */
export async function runAction(
  connector: Connector,
  actionId: string,
  input: Readonly<Record<string, unknown>>,
  http: HttpPort,
  options: RunOptions = {},
): Promise<ActionOutput> {
  const action = findAction(connector, actionId);
  const values = parseInput(fieldsOf(action), input);
  const now = options.now ?? new Date();
  const caller = new Caller(connector, http, {
    effect: effectOf(action, values, options.idempotencyKey),
    ...(action.idempotencyHeader !== undefined &&
      options.idempotencyKey !== undefined && {
        idempotency: { header: action.idempotencyHeader, key: options.idempotencyKey },
      }),
  });
  try {
    const data = await produce(action, values, caller, now);
    return { ok: true, status: caller.status, data, isTruncated: caller.isTruncated };
  } catch (error) {
    if (error instanceof ProviderError) return { ok: false, error };
    throw error;
  }
}

async function produce(
  action: Action,
  values: Record<string, unknown>,
  caller: Caller,
  now: Date,
): Promise<unknown> {
  const input = values as never;
  if (action.run !== undefined) {
    const context: RunContext = {
      call: (request) => caller.call(request),
      async list(request, spec) {
        const rows = await caller.list(request, spec.items, spec.pages, spec.limit);
        if (spec.isWhole === true && caller.isTruncated) {
          throw new InputError(
            'invalid_parameter',
            'query',
            `The list holds more than ${rows.length} rows. Let the query ask for less at a time`,
          );
        }
        return rows;
      },
      now,
    };
    return action.run(input, context);
  }
  if (action.request === undefined) throw new Error('An action has either request or run');
  const request = action.request(input, { now });
  if (action.items !== undefined) {
    return caller.list(request, action.items, action.pages, values['limit'] as number | undefined);
  }
  const { body } = await caller.call(request);
  return action.output === undefined ? body : action.output(body as never, input);
}

interface CallerOptions {
  readonly effect: Effect;
  readonly idempotency?: { readonly header: string; readonly key: string };
}

/** One action's or trigger's conversation with the provider. Holds the last status and whether a list was cut. */
export class Caller {
  status = 200;
  isTruncated = false;
  readonly #connector: Connector;
  readonly #http: HttpPort;
  readonly #options: CallerOptions;
  #writes = 0;

  constructor(connector: Connector, http: HttpPort, options: CallerOptions = { effect: 'read' }) {
    this.#connector = connector;
    this.#http = http;
    this.#options = options;
  }

  /** Sends one request. @throws ProviderError when the provider refuses. */
  async call(request: ApiRequest): Promise<ApiResponse> {
    const response = await this.#send(request);
    if (this.#isRefused(response)) throw refusal(response);
    return response;
  }

  /** The rows at a path, page after page, until the list, the limit or the page bound ends. */
  async list(request: ApiRequest, items: string, pages?: Pages, limit = DEFAULT_ROWS): Promise<unknown[]> {
    const wanted = Math.max(0, Math.min(limit, MAX_ROWS));
    const rows: unknown[] = [];
    let next: ApiRequest | undefined = firstPage(request, pages);
    for (let index = 0; next !== undefined; index += 1) {
      const response = await this.#send(next);
      if (this.#isRefused(response)) {
        if (this.#connector.http.emptyList?.(response.status, response.body) !== true)
          throw refusal(response);
        // "No rows" is said with an error status here; the action itself succeeded.
        this.status = 200;
        return rows;
      }
      const page = at(response.body, items);
      const found: readonly unknown[] = Array.isArray(page) ? page : [];
      rows.push(...found);
      next = nextPage(next, response, pages, index, found.length);
      if (rows.length > wanted || (next !== undefined && (rows.length >= wanted || index + 1 >= MAX_PAGES))) {
        this.isTruncated = true;
        return rows.slice(0, wanted);
      }
    }
    return rows;
  }

  async #send(request: ApiRequest): Promise<ApiResponse> {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const effect = request.effect ?? (isRead ? 'read' : this.#options.effect);
    const response = await this.#http.send({
      ...request,
      ...this.#idempotencyHeader(request, isRead),
      effect,
    });
    this.status = response.status;
    return response;
  }

  /** The second write of one action is another call: the same key would make the provider repeat the first answer. */
  #idempotencyHeader(request: ApiRequest, isRead: boolean): Pick<ApiRequest, 'headers'> {
    const { idempotency } = this.#options;
    if (idempotency === undefined || isRead) return {};
    this.#writes += 1;
    const key = this.#writes === 1 ? idempotency.key : `${idempotency.key}:${this.#writes}`;
    return { headers: { ...request.headers, [idempotency.header.toLowerCase()]: key } };
  }

  #isRefused(response: ApiResponse): boolean {
    if (response.status < 200 || response.status > 299) return true;
    return this.#connector.http.failed?.(response.status, response.body) === true;
  }
}

function refusal(response: ApiResponse): ProviderError {
  return new ProviderError(
    response.status,
    response.body,
    response.retryAfterMs ?? retryAfterMs(response.headers['retry-after']),
  );
}

/** `Retry-After` in seconds (RFC 9110 §10.2.3). Its date form is for the port, which has a clock. */
function retryAfterMs(header: string | undefined): number | undefined {
  const seconds = header === undefined || header.trim() === '' ? Number.NaN : Number(header);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
