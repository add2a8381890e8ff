import { findLinkedAccountRef } from '#db/linked-account';
import type { Db } from '#db/schema';
import type { ClaimedDelivery, Exchange } from '#db/webhook-delivery';
import type { Clock } from '#domain/clock';
import { AppError } from '#domain/errors';
import { createMasker, redacted } from '#domain/masking/index';
import type { Tenant } from '#domain/tenant';
import type { Engine } from '#engine/index';
import { signingKey } from '#organizations/index';
import type { Outbound, OutboundRequest } from '#outbound/index';
import type { Vault } from '#vault/index';
import { customBody, customHeader, readsResponse, slackBody, type CustomValues } from '#webhooks/render';
import { signatureHeaders } from '#webhooks/sign';
import { summaryOf } from '#webhooks/summary';
import { openTarget, shownUrl, type Target } from '#webhooks/target';

export interface SendWebhookDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly outbound: Pick<Outbound, 'send'>;
  readonly engine: Pick<Engine, 'read'>;
  readonly config: { readonly publicUrl: string };
}

/** What came of an attempt. */
export interface Sent extends Exchange {
  readonly isTaken: boolean;
  /** Another attempt would end in the same way. */
  readonly isFinal?: boolean;
  /** What the receiver asks to wait. */
  readonly retryAfterMs?: number | undefined;
}

const timeoutMs = 15_000;
const longestResponse = 4_096;
const longestRequestShown = 65_536;

/**
 * Sends a delivery once. Any 2xx is taken; a redirect is not followed: a signed body goes where the rule says.
 *
 * @throws AppError what `outbound.send` throws
 */
export async function sendWebhook(deps: SendWebhookDeps, delivery: ClaimedDelivery): Promise<Sent> {
  const { rule } = delivery;
  const tenant: Tenant = { orgId: delivery.orgId, environment: delivery.environment };
  const target = openTarget(deps.vault, rule.id, rule.targetSealed!);
  const key = await signingKey(deps, tenant);
  if (key === undefined && rule.kind !== 'slack') {
    return {
      isTaken: false,
      error: 'The environment has no API key to sign with. Make one, then send it again.',
    };
  }
  const { body, headers } = await rendered(deps, tenant, delivery, target);
  const request = {
    method: rule.method ?? 'POST',
    url: target.url,
    headers: {
      ...headers,
      'content-type': 'application/json',
      // Whoever has it sent again sends the same event.
      ...(key !== undefined &&
        signatureHeaders(key, { id: delivery.repeatOf ?? delivery.id, at: deps.clock.now(), body })),
    },
    body,
    timeoutMs,
    maxRedirects: 0,
    maxAttempts: 1,
    maxResponseBytes: 256 * 1024,
  } satisfies OutboundRequest;
  const shown = shownRequest(request, Object.keys(headers));
  const startedAt = performance.now();
  try {
    const answer = await deps.outbound.send(request);
    const isTaken = answer.status >= 200 && answer.status < 300;
    return {
      isTaken,
      request: shown,
      response: {
        status: answer.status,
        content_type: answer.headers['content-type'] ?? null,
        body: shownResponse(answer.body, [key, ...secretsOf(target.url, headers)]),
        duration_ms: Math.round(performance.now() - startedAt),
      },
      retryAfterMs: answer.retryAfterMs,
      ...(!isTaken && { error: `It answered ${answer.status}.` }),
    };
  } catch (error) {
    return { isTaken: false, request: shown, ...failureOf(error) };
  }
}

interface Rendered {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The body by the kind of webhook; of a custom one with its headers, templates filled. */
async function rendered(
  deps: SendWebhookDeps,
  tenant: Tenant,
  { rule, content, executionId }: ClaimedDelivery,
  { headers, body }: Target,
): Promise<Rendered> {
  if (rule.kind === 'slack') {
    const summary = summaryOf(
      JSON.parse(content) as Record<string, unknown>,
      new URL(deps.config.publicUrl).origin,
    );
    return { body: slackBody(summary), headers };
  }
  if (rule.kind !== 'custom') return { body: content, headers };
  const templates = [body ?? '', ...Object.values(headers)];
  const values = await customValues(deps, tenant, {
    event: JSON.parse(content) as Record<string, unknown>,
    executionId: readsResponse(templates) ? executionId : null,
  });
  return {
    body: body === null ? content : customBody(body, values),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, customHeader(value, values)]),
    ),
  };
}

/** @param of.executionId - null: nobody asks what it answered */
async function customValues(
  deps: SendWebhookDeps,
  tenant: Tenant,
  { event, executionId }: { readonly event: Record<string, unknown>; readonly executionId: string | null },
): Promise<CustomValues> {
  const accountId = event['linked_account_id'];
  const account =
    typeof accountId === 'string' ? await findLinkedAccountRef(deps.db, tenant, accountId) : undefined;
  const execution = executionId === null ? undefined : await deps.engine.read(tenant, executionId);
  return {
    event,
    workflow_response: execution?.answer ?? null,
    linked_account_name: account?.name ?? (typeof accountId === 'string' ? accountId : null),
  };
}

/** The request as people may see it: own headers without their values, the address without what may be its secret. */
function shownRequest(
  {
    method,
    url,
    headers,
    body,
  }: { method: string; url: string; headers: Record<string, string>; body: string },
  own: readonly string[],
): object {
  return {
    method,
    url: shownUrl(url),
    headers: { ...headers, ...Object.fromEntries(own.map((name) => [name, redacted])) },
    body: cut(body, longestRequestShown),
  };
}

/** Parts of a path that are no words but keys, as those of incoming webhooks are. */
const shortestKey = 16;

/** What a receiver may repeat of the request that nobody else is to see: of an address and of headers also the parts. */
function secretsOf(url: string, headers: Readonly<Record<string, string>>): string[] {
  const { pathname, search, searchParams } = new URL(url);
  return [
    url,
    ...(search === '' ? [] : [`${pathname}${search}`, search]),
    ...pathname.split('/').filter((part) => part.length >= shortestKey),
    ...searchParams.values(),
    // A scheme before it, such as `Bearer`, may be left out.
    ...Object.values(headers).flatMap((value) => [value, ...value.split(/\s+/).slice(1)]),
  ];
}

/** The beginning of an answer, without the secrets that were sent with the request. */
function shownResponse(body: Buffer, secrets: readonly (string | undefined)[]): string {
  const masker = createMasker();
  for (const secret of secrets) if (secret !== undefined) masker.learn(secret);
  // Cut generously first: a secret at the end must not be cut in two before it is found.
  return cut(masker.text(body.subarray(0, 4 * longestResponse).toString('utf8')), longestResponse).replaceAll(
    '\0',
    '',
  );
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

function failureOf(error: unknown): { error: string; isFinal: boolean } {
  if (!(error instanceof AppError)) throw error;
  // Neither an address that may not be called nor a header that HTTP refuses gets better by itself.
  return {
    error: error.message,
    isFinal: error.code === 'egress_forbidden' || error.code === 'invalid_request',
  };
}
