/** Triggers: how an App tells us that something happened, by being asked (`poll`) or by calling us (`webhook`). */
import type { Fields, Input, NoFields } from '#kit/field';
import { isRecord, type Values } from '#kit/json';
import type { Pages } from '#kit/paging';
import type { ApiRequest } from '#kit/request';

/** `15m`, `24h`. */
export type Duration = `${number}${'s' | 'm' | 'h' | 'd'}`;

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration in milliseconds. */
export function durationMs(duration: Duration): number {
  return Number(duration.slice(0, -1)) * UNIT_MS[duration.at(-1) as keyof typeof UNIT_MS];
}

/** The span a poll asks for, both ends as ISO 8601 in UTC; `since` already includes the overlap. */
export interface Window {
  readonly since: string;
  readonly until: string;
}

/** A polling trigger, erased. */
export interface Poll {
  readonly kind: 'poll';
  readonly label: string;
  readonly help: string;
  readonly every: Duration;
  readonly overlap: Duration;
  readonly scopes: readonly string[];
  readonly input: Fields;
  readonly list: (window: Window, input: never) => ApiRequest;
  readonly items: string;
  readonly pages?: Pages;
  readonly id: (row: never) => string;
  readonly at: (row: never) => string;
  readonly output?: (row: never) => unknown;
}

/**
 * Declares a polling trigger.
 *
 * `overlap` is how long after its time (`at`) a row may still appear or change; the kit asks that much further
 * back every time and the caller drops what it has seen by `id`. Zero loses rows at any provider that indexes
 * late. A row that changes fires again only if its `id` says so: add the changed time to it.
 */
export function poll<Row, const F extends Fields = NoFields>(spec: {
  readonly label: string;
  readonly help: string;
  readonly every: Duration;
  readonly overlap: Duration;
  readonly scopes?: readonly string[];
  readonly input?: F;
  readonly list: (window: Window, input: Input<F>) => ApiRequest;
  readonly items: string;
  readonly pages?: Pages;
  readonly id: (row: Row) => string;
  readonly at: (row: Row) => string;
  readonly output?: (row: Row) => unknown;
}): Poll {
  const input: Fields = spec.input ?? {};
  return Object.freeze({ ...spec, kind: 'poll', scopes: spec.scopes ?? [], input } as Poll);
}

/** An inbound call as it arrived. Signatures cover raw bytes, so the body is never re-serialised. */
export interface WebhookRequest {
  readonly method: string;
  /** The public URL the provider called, as registered with it. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Values;
  readonly rawBody: Uint8Array;
  /** The body parsed as JSON; throws SyntaxError when it is none. */
  json(): unknown;
}

/** Makes a `WebhookRequest`; the server's and the tests' one way to. */
export function webhookRequest(
  parts: Omit<WebhookRequest, 'json' | 'rawBody'> & { readonly rawBody: Uint8Array | string },
): WebhookRequest {
  const rawBody = typeof parts.rawBody === 'string' ? Buffer.from(parts.rawBody, 'utf8') : parts.rawBody;
  return { ...parts, rawBody, json: () => JSON.parse(Buffer.from(rawBody).toString('utf8')) as unknown };
}

export interface WebhookEvent {
  /** The provider's id of this delivery or change: a second arrival with it is dropped. */
  readonly id: string;
  readonly data: unknown;
}

/** What a subscription call needs: our URL, and a fresh secret for providers that let the client choose it. */
export interface SubscribeContext {
  readonly url: string;
  readonly secret: string;
  readonly input: Values;
}

/** What we remember of a subscription at the provider: enough to verify its calls and to end it. */
export interface Subscription {
  readonly id: string;
  readonly secrets: Values;
}

export type WebhookSetup =
  | {
      /** Typed by whoever made the hook at the provider: keys to verify with. */
      readonly manual: Fields;
      /** The guide for that person, a file in the connector's folder. */
      readonly steps: 'webhook-setup.md';
    }
  | {
      readonly subscribe: (context: SubscribeContext) => ApiRequest;
      readonly read: (body: unknown, context: SubscribeContext) => Subscription;
      readonly unsubscribe: (subscription: Subscription) => ApiRequest;
      /** For providers whose subscriptions end by themselves. */
      readonly renewEvery?: Duration;
    };

/** Which connection a call is for: its own URL says so, or a key in the call equals a key of the connection. */
export type WebhookRoute =
  | 'connection'
  | {
      readonly by: (request: WebhookRequest) => string | undefined;
      readonly of: (meta: Values) => string | undefined;
    };

/** The reason a call is refused, for the log; undefined when it is genuine. Never quote the body. */
export type Refusal = string | undefined;

export interface Webhook {
  readonly kind: 'webhook';
  readonly label: string;
  readonly help: string;
  readonly scopes: readonly string[];
  readonly route: WebhookRoute;
  readonly setup: WebhookSetup;
  /** Judges a call by its signature and age. `now` is an argument: old calls are refused, and tests are not. */
  readonly verify: (request: WebhookRequest, secrets: Values, now: Date) => Refusal;
  /** The answer a provider wants to see once before it sends events; undefined for an ordinary call. */
  readonly handshake?: (
    request: WebhookRequest,
  ) => { readonly status: number; readonly body: string } | undefined;
  /** What happened. An empty list is a genuine call that is not for this trigger. */
  readonly events: (request: WebhookRequest) => readonly WebhookEvent[];
  /** A call that `verify` must accept, and that the common suite then tampers with. */
  readonly example: () => WebhookExample;
}

export interface WebhookExample {
  readonly request: WebhookRequest;
  readonly secrets: Values;
  readonly now: Date;
}

/** Declares a webhook trigger. `example` is mandatory: a verifier nobody has tried to fool is not one. */
export function webhook(
  spec: Omit<Webhook, 'kind' | 'scopes'> & { readonly scopes?: readonly string[] },
): Webhook {
  return Object.freeze({ ...spec, kind: 'webhook', scopes: spec.scopes ?? [] });
}

export type Trigger = Poll | Webhook;

/** The JSON object of a webhook's body; `{}` when it is something else. */
export function bodyObject(request: WebhookRequest): Record<string, unknown> {
  const body = request.json();
  return isRecord(body) ? body : {};
}
