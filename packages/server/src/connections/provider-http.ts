import {
  type ApiRequest,
  allowedHosts,
  type Connector,
  type FileValue,
  type HttpPort,
  InvalidParameter,
  isHostAllowed,
  parseJson,
  type Place,
  type Placement,
  requestUrl,
} from '@inlay/connectors/kit';
import { FormData } from 'undici';
import type { Credential } from '#connections/credential';
import { fillTemplate } from '#connections/fill-template';
import type { Tenant } from '#domain/tenant';
import type { CallBudget, ClientTls, Outbound, OutboundRequest, OutboundStream } from '#outbound/index';

/** Whose API is called, and where it lies. */
export interface Provider {
  readonly connector: Connector;
  readonly place: Place;
  readonly budgetKey: string;
}

/** When to give a request up. */
interface CallLimits {
  readonly signal?: AbortSignal;
  readonly maxAttempts?: number;
  /** A certificate of the organisation's own. */
  readonly tls?: ClientTls | undefined;
  /** Bodies hold a secret, so they go where the credential goes and nowhere else. */
  readonly isSecretInBody?: boolean;
}

/** A port that can also open answers that are too large to be held. */
export interface ProviderPort extends HttpPort {
  /** Sends once; the body is read to its end, or destroyed, by the caller. */
  open(request: ApiRequest): Promise<OutboundStream>;
}

/** The key under which calls of a connection, or of an app as a whole, are counted. */
export function budgetKey(connector: Connector, tenant: Tenant, connectionId: string): string {
  return connector.http.limits.per === 'app'
    ? `app:${tenant.orgId}:${tenant.environment}:${connector.slug}`
    : `connection:${connectionId}`;
}

/** What a credential adds to this connector's requests. */
export function placementOf(connector: Connector, credential: Credential, place: Place): Placement {
  if (credential.kind === 'oauth2') {
    return connector.auth.oauth2?.place(credential.accessToken, place.meta) ?? {};
  }
  return connector.auth.keybased?.sign(credential.fields as never, credential.token) ?? {};
}

/** A port that sends a connector's requests through the one door, with `placement` and nothing else added. */
export function providerHttp(
  outbound: Outbound,
  provider: Provider,
  placement: Placement,
  limits: CallLimits = {},
): ProviderPort {
  return {
    async send(request) {
      const response = await outbound.send(
        await outboundRequest(outbound, provider, placement, request, limits),
      );
      return {
        status: response.status,
        headers: response.headers,
        body: parseBody(response.body, response.headers['content-type']),
        ...(response.retryAfterMs !== undefined && { retryAfterMs: response.retryAfterMs }),
      };
    },
    open: async (request) =>
      outbound.open(await outboundRequest(outbound, provider, placement, request, limits)),
  };
}

async function outboundRequest(
  outbound: Outbound,
  provider: Provider,
  placement: Placement,
  request: ApiRequest,
  { signal, maxAttempts, tls, isSecretInBody }: CallLimits,
): Promise<OutboundRequest> {
  const { connector, place } = provider;
  // Behind one address there may be many hosts: another name would lead the credential to another of them.
  if (Object.keys(request.headers ?? {}).some((name) => name.toLowerCase() === 'host')) {
    throw new InvalidParameter(
      'headers',
      'may not set "host": the credential is for the host of the address',
    );
  }
  const url = requestUrl(connector, request, place);
  const hosts = allowedHosts(connector, place);
  const body = request.body === undefined ? undefined : await encodeBody(outbound, request.body);
  const budget: CallBudget = { key: provider.budgetKey, limits: connector.http.limits };
  const common = Object.entries(connector.http.headers).map(([name, value]) => [
    name.toLowerCase(),
    fillTemplate(value, place),
  ]);
  return {
    method: request.method,
    url,
    headers: {
      accept: 'application/json',
      ...(body?.contentType !== undefined && { 'content-type': body.contentType }),
      ...Object.fromEntries(common),
      ...request.headers,
    },
    ...(body !== undefined && { body: body.content }),
    ...(signal !== undefined && { signal }),
    ...(maxAttempts !== undefined && { maxAttempts }),
    ...(tls !== undefined && { tls }),
    credential: {
      isFor: (to) => isHostAllowed(to, hosts),
      placement,
      ...(isSecretInBody === true && { isInBody: true }),
    },
    budget,
    effect: request.effect ?? (request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'once'),
    app: connector.name,
  };
}

/** JSON is read, other text is as it came. */
export function parseBody(body: Buffer, contentType = ''): unknown {
  if (body.length === 0) return null;
  const text = body.toString('utf8');
  // Many providers send JSON under another type; none sends a text that happens to be an object.
  if (!/\bjson\b/i.test(contentType) && !/^\s*[{[]/.test(text)) return text;
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

interface Encoded {
  readonly content: NonNullable<OutboundRequest['body']>;
  readonly contentType?: string;
}

/** A body as it is sent, and the type that it then has. */
export async function encodeBody(
  outbound: Outbound,
  body: NonNullable<ApiRequest['body']>,
): Promise<Encoded> {
  if (body.kind === 'json') return { content: JSON.stringify(body.value), contentType: 'application/json' };
  if (body.kind === 'text') return { content: body.value, contentType: body.contentType };
  if (body.kind === 'form') {
    const content = new URLSearchParams(body.value).toString();
    return { content, contentType: 'application/x-www-form-urlencoded' };
  }
  // The form chooses its boundary, and with it the content type.
  const form = new FormData();
  for (const [name, part] of Object.entries(body.parts)) {
    if (typeof part === 'string') form.set(name, part);
    else form.set(name, await blobOf(outbound, part), part.name);
  }
  return { content: form };
}

/** A file by URL is fetched through the same guarded door, without any credential. */
async function blobOf(outbound: Outbound, file: FileValue): Promise<Blob> {
  const bytes =
    'base64' in file
      ? Buffer.from(file.base64, 'base64')
      : (
          await outbound.send({
            method: 'GET',
            url: file.url,
            effect: 'read',
            maxResponseBytes: maxFileBytes,
          })
        ).body;
  return new Blob([new Uint8Array(bytes)], { type: file.contentType });
}

const maxFileBytes = 50 * 1024 * 1024;
