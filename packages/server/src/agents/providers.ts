import {
  deleteModelProvider,
  findModelProvider,
  listModelProviders,
  putModelProvider,
  type StoredProvider,
} from '#db/agent';
import type { Db } from '#db/schema';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import { anthropic } from '#agents/anthropic';
import type { ModelProtocol, ModelReply, ModelRequest } from '#agents/model';
import { openAi } from '#agents/openai';
import type { Outbound } from '#outbound/index';
import { sealContext, type Vault } from '#vault/index';

/** Where agents find their model: any endpoint that speaks one of the two protocols, with a key that is sealed. */

export interface ProviderDeps {
  readonly db: Db;
  readonly vault: Vault;
}

export interface ModelProvider {
  readonly name: string;
  readonly kind: 'openai' | 'anthropic';
  readonly baseUrl: string;
  readonly defaultModel: string | undefined;
}

const protocols: Readonly<Record<StoredProvider['kind'], ModelProtocol>> = { openai: openAi, anthropic };

/** Every provider of the tenant; keys are never given out. */
export async function allProviders(deps: ProviderDeps, tenant: Tenant): Promise<ModelProvider[]> {
  return (await listModelProviders(deps.db, tenant)).map(shown);
}

/**
 * Stores a provider. Without a key, the one that is stored stays, unless the address changes: a key belongs to the host
 * that it was entered for.
 *
 * @throws AppError `invalid_request`, `missing_field`
 */
export async function saveProvider(
  deps: ProviderDeps,
  tenant: Tenant,
  name: string,
  given: {
    readonly kind: StoredProvider['kind'];
    readonly baseUrl?: string | undefined;
    readonly defaultModel?: string | undefined;
    readonly key?: string | undefined;
  },
): Promise<ModelProvider> {
  if (!/^[a-z0-9][a-z0-9_-]{0,49}$/.test(name)) {
    throw invalid('name', `is "${name}"; a name has lower-case letters, digits, - and _`);
  }
  const baseUrl = readBaseUrl(given.baseUrl ?? protocols[given.kind].defaultBaseUrl);
  const before = await findModelProvider(deps.db, tenant, name);
  const context = sealContext('model_provider.key_sealed', tenant.orgId, tenant.environment, name);
  const isSameHost = before !== undefined && new URL(before.base_url).origin === new URL(baseUrl).origin;
  if ((given.key ?? '') === '' && !isSameHost) throw new AppError('missing_field', { field: 'key' });
  const keySealed =
    given.key === undefined || given.key === '' ? before!.key_sealed : deps.vault.seal(given.key, context);
  return shown(
    await putModelProvider(deps.db, tenant, {
      name,
      kind: given.kind,
      base_url: baseUrl,
      default_model: given.defaultModel ?? null,
      key_sealed: keySealed,
    }),
  );
}

/** @throws AppError `model_provider_not_found` */
export async function removeProvider(deps: ProviderDeps, tenant: Tenant, name: string): Promise<void> {
  if (!(await deleteModelProvider(deps.db, tenant, name))) {
    throw new AppError('model_provider_not_found', { name });
  }
}

/**
 * Asks a model of a provider. The key leaves the vault for this request only, and goes to the provider's own host only.
 *
 * @throws AppError `model_provider_not_found`, `model_refused`, `rate_limited`, and those of `Outbound.send`
 */
export async function askModel(
  deps: ProviderDeps & { readonly outbound: Pick<Outbound, 'send'> },
  tenant: Tenant,
  providerName: string,
  request: Omit<ModelRequest, 'model'> & { readonly model: string | undefined },
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<ModelReply> {
  const provider = await findModelProvider(deps.db, tenant, providerName);
  if (provider === undefined) throw new AppError('model_provider_not_found', { name: providerName });
  const model = request.model ?? provider.default_model;
  if (model === null) throw new AppError('agent_failed', { reason: 'no model is chosen: name one' });
  const protocol = protocols[provider.kind];
  const base = new URL(provider.base_url);
  const context = sealContext('model_provider.key_sealed', tenant.orgId, tenant.environment, providerName);
  const { path, headers, body } = protocol.request({ ...request, model });
  const answer = await deps.outbound.send({
    method: 'POST',
    url: `${provider.base_url.replace(/\/$/, '')}${path}`,
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    body: JSON.stringify(body),
    // An answer of a model changes nothing: asking again is harmless.
    effect: 'read',
    maxRedirects: 0,
    credential: {
      isFor: (url) => url.origin === base.origin,
      placement: { headers: protocol.key(deps.vault.open(provider.key_sealed, context).toString('utf8')) },
    },
    app: `the model provider "${providerName}"`,
    ...options,
  });
  if (answer.status === 429) {
    throw new AppError('rate_limited', {
      retryAfterSeconds: Math.ceil((answer.retryAfterMs ?? 10_000) / 1000),
    });
  }
  const text = answer.body.toString('utf8');
  if (answer.status < 200 || answer.status >= 300) {
    throw new AppError(
      'model_refused',
      { name: providerName, status: answer.status, reason: reasonOf(answer.status) },
      { cause: text.slice(0, 2_000) },
    );
  }
  try {
    return protocol.read(JSON.parse(text));
  } catch (error) {
    throw new AppError(
      'model_refused',
      {
        name: providerName,
        status: answer.status,
        reason: `that is no answer of a "${provider.kind}" endpoint`,
      },
      { cause: error },
    );
  }
}

/** What a provider writes may hold the prompt or a part of the key, so its words stay in the cause. */
function reasonOf(status: number): string {
  if (status === 401 || status === 403)
    return 'it does not accept the key, or the key may not use this model';
  if (status === 404) return 'it does not know the model or the address';
  if (status === 400 || status === 422)
    return 'it does not accept the request: see whether the model takes tools';
  if (status >= 500) return 'it has a problem of its own';
  return 'see its documentation';
}

function readBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '') {
    throw invalid('base_url', `is "${text.slice(0, 200)}"; an address such as https://api.openai.com/v1`);
  }
  return url.href.replace(/\/$/, '');
}

function shown(stored: StoredProvider): ModelProvider {
  return {
    name: stored.name,
    kind: stored.kind,
    baseUrl: stored.base_url,
    defaultModel: stored.default_model ?? undefined,
  };
}

function invalid(path: string, message: string): AppError {
  return new AppError('invalid_request', { problems: [{ path, message }] });
}
