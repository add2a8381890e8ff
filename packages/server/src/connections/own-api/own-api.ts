import { isDeepStrictEqual } from 'node:util';
import {
  type ApiRequest,
  type Connector,
  InvalidParameter,
  type Placement,
  type Values,
} from '@inlay/connectors/kit';
import { bodyAs } from '#connections/custom-actions/request';
import type { ConnectionDeps } from '#connections/deps';
import { inputProblem } from '#connections/input-problem';
import { ownConnector } from '#connections/own-api/connector';
import { type OwnApiDefinition, ownApiDefinition } from '#connections/own-api/definition';
import { encodeBody, parseBody, providerHttp, type ProviderPort } from '#connections/provider-http';
import {
  deleteOwnApi,
  findAccountId,
  findOwnApi,
  findOwnApiToken,
  putOwnApi,
  putOwnApiToken,
  type StoredOwnApi,
} from '#db/own-api';
import { orgCredentials, udfValues } from '#db/run-values';
import { AppError } from '#domain/errors';
import { isRecord } from '#domain/exact-json';
import { asText, compileTemplate, render } from '#domain/template';
import type { Tenant } from '#domain/tenant';
import type { ClientTls } from '#outbound/index';
import { sealContext } from '#vault/index';

export type OwnApiDeps = Pick<ConnectionDeps, 'pool' | 'clock' | 'vault' | 'outbound'>;

/** How the tenant's own API is called; undefined when nobody has said it yet. */
export async function getOwnApi(
  deps: Pick<OwnApiDeps, 'pool'>,
  tenant: Tenant,
): Promise<OwnApiDefinition | undefined> {
  const row = await findOwnApi(deps.pool, tenant);
  return row && ownApiDefinition.parse(row.definition);
}

export async function saveOwnApi(
  deps: Pick<OwnApiDeps, 'pool'>,
  tenant: Tenant,
  definition: OwnApiDefinition,
): Promise<OwnApiDefinition> {
  return ownApiDefinition.parse((await putOwnApi(deps.pool, tenant, definition)).definition);
}

/** @throws AppError `not_found` */
export async function removeOwnApi(deps: Pick<OwnApiDeps, 'pool'>, tenant: Tenant): Promise<void> {
  if (!(await deleteOwnApi(deps.pool, tenant)))
    throw new AppError('not_found', { what: 'API of', id: 'My App' });
}

interface Call {
  readonly tenant: Tenant;
  readonly linkedAccountId: string;
  readonly signal?: AbortSignal;
  readonly maxAttempts?: number;
  readonly transport?: {
    readonly tls?: ClientTls | undefined;
    /** An admin wrote the request down, so what it says counts more than what is injected; callers' words do not. */
    readonly isDefined?: boolean;
  };
}

/**
 * Runs `work` with a port to the organisation's own API, which carries what the account proves itself with.
 *
 * @throws AppError `wrong_state` while the API is not set, `own_api_refused` when the token exchange fails
 */
export async function withOwnApi<T>(
  deps: OwnApiDeps,
  call: Call,
  work: (connector: Connector, http: ProviderPort, meta: Values) => Promise<T>,
): Promise<T> {
  const row = await findOwnApi(deps.pool, call.tenant);
  if (row === undefined) {
    throw new AppError('wrong_state', {
      reason: 'My App has no API yet: an admin sets its address with PUT /api/admin/own-api.',
    });
  }
  const connector = ownConnector(ownApiDefinition.parse(row.definition).base_url);
  try {
    return await work(connector, await ownPort(deps, call, row, connector), {});
  } catch (error) {
    throw inputProblem(error, connector);
  }
}

async function ownPort(
  deps: OwnApiDeps,
  call: Call,
  row: StoredOwnApi,
  connector: Connector,
): Promise<ProviderPort> {
  const definition = ownApiDefinition.parse(row.definition);
  const { tenant, linkedAccountId, signal, maxAttempts, transport } = call;
  const account = await accountOf(deps, tenant, linkedAccountId);
  let token = await tokenFor(deps, call, row, definition, account);
  const provider = {
    connector,
    place: { meta: {}, vars: {} },
    budgetKey: `own-api:${tenant.orgId}:${tenant.environment}`,
  };
  const limits = {
    ...(signal !== undefined && { signal }),
    ...(maxAttempts !== undefined && { maxAttempts }),
    tls: transport?.tls,
  };
  const values = (): Injected[] =>
    definition.inject.map(({ value, ...where }) => ({
      ...where,
      value: asText(filled(value, { linked_account: account, response: token.response })),
    }));

  /** A token that the API no longer takes is exchanged once more: what was refused had no effect. */
  async function once<Answer extends { readonly status: number }>(
    request: ApiRequest,
    ask: (port: ProviderPort, request: ApiRequest) => Promise<Answer>,
    leave: (answer: Answer) => void = () => undefined,
  ): Promise<Answer> {
    const attempt = (): Promise<Answer> => {
      const injected = values().filter(({ value }) => value !== '');
      const isSecretInBody = injected.some((one) => one.in === 'body');
      const own = transport?.isDefined === true ? request : {};
      const port = providerHttp(deps.outbound, provider, placementOf(injected, own), {
        ...limits,
        isSecretInBody,
      });
      return ask(port, withBody(injected, request, transport?.isDefined === true));
    };
    const answer = await attempt();
    if (answer.status !== 401 || !token.isCached) return answer;
    leave(answer);
    token = await tokenFor(deps, call, row, definition, account, token);
    return attempt();
  }

  return {
    send: (request) => once(request, (port, given) => port.send(given)),
    open: (request) =>
      once(
        request,
        (port, given) => port.open(given),
        ({ body }) => void body.destroy(),
      ),
  };
}

interface Injected {
  readonly in: 'header' | 'query' | 'body';
  readonly name: string;
  readonly value: string;
}

/** Where the values go, but for those that `own` says itself. */
function placementOf(
  injected: readonly Injected[],
  { headers = {}, query = {} }: Partial<Pick<ApiRequest, 'headers' | 'query'>>,
): Placement {
  const own = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const pick = (place: 'header' | 'query'): [string, string][] =>
    injected
      .filter((one) => one.in === place)
      .map(({ name, value }) => [place === 'header' ? name.toLowerCase() : name, value]);
  return {
    headers: Object.fromEntries(pick('header').filter(([name]) => !own.has(name))),
    query: Object.fromEntries(pick('query').filter(([name]) => !Object.hasOwn(query, name))),
  };
}

/** @throws InvalidParameter for a body that the values have no place in */
function withBody(injected: readonly Injected[], request: ApiRequest, ownCountsMore: boolean): ApiRequest {
  const values = Object.fromEntries(
    injected.filter((one) => one.in === 'body').map(({ name, value }) => [name, value]),
  );
  const { body, method } = request;
  if (Object.keys(values).length === 0 || method === 'GET' || method === 'HEAD') return request;
  if (body === undefined) return { ...request, body: { kind: 'json', value: values } };
  const merged = <T>(own: Readonly<Record<string, T>>): Readonly<Record<string, T | string>> =>
    ownCountsMore ? { ...values, ...own } : { ...own, ...values };
  if (body.kind === 'form') return { ...request, body: { ...body, value: merged(body.value) } };
  if (body.kind === 'json' && isRecord(body.value)) {
    return { ...request, body: { kind: 'json', value: merged(body.value) } };
  }
  throw new InvalidParameter(
    'body',
    'must be a JSON object or a form: what proves the account is added to it (PUT /api/admin/own-api, inject)',
  );
}

type Account = Readonly<Record<string, unknown>>;

interface Token {
  readonly response: unknown;
  readonly isCached: boolean;
}

/** What the exchange answers for the account: the kept answer while it counts, unless it is the `refused` one. */
async function tokenFor(
  deps: OwnApiDeps,
  { tenant, linkedAccountId, signal }: Call,
  row: StoredOwnApi,
  { auth }: OwnApiDefinition,
  account: Account,
  refused?: Token,
): Promise<Token> {
  if (auth === undefined) return { response: undefined, isCached: false };
  const now = deps.clock.now();
  const context = sealContext(
    'own_api_token.token_sealed',
    tenant.orgId,
    tenant.environment,
    linkedAccountId,
  );
  const sealed = await findOwnApiToken(deps.pool, tenant, linkedAccountId, now);
  const kept = sealed && deps.vault.openJson(sealed, context);
  // Another call may have exchanged it meanwhile; where a new token ends the one before, a further one would end that.
  if (sealed !== undefined && !(refused !== undefined && isDeepStrictEqual(kept, refused.response))) {
    return { response: kept, isCached: true };
  }
  const response = await exchanged(deps, auth, account, signal);
  if (auth.cache_s > 0) {
    await putOwnApiToken(deps.pool, tenant, {
      linkedAccountId,
      sealed: deps.vault.sealJson(response, context),
      expiresAt: new Date(now.getTime() + auth.cache_s * 1_000),
      madeBy: row.updated_at,
    });
  }
  return { response, isCached: false };
}

async function exchanged(
  deps: OwnApiDeps,
  auth: NonNullable<OwnApiDefinition['auth']>,
  account: Account,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const values = { linked_account: account };
  const url = new URL(auth.url);
  for (const [name, value] of Object.entries(auth.query)) {
    url.searchParams.set(name, asText(filled(value, values)));
  }
  const body = filled(auth.body, values);
  const encoded =
    body === undefined || auth.method === 'GET'
      ? undefined
      : await encodeBody(deps.outbound, bodyAs(body, auth.body_type));
  const answer = await deps.outbound.send({
    method: auth.method,
    url,
    headers: {
      accept: 'application/json',
      ...(encoded?.contentType !== undefined && { 'content-type': encoded.contentType }),
      ...Object.fromEntries(
        Object.entries(auth.headers).map(([name, value]) => [
          name.toLowerCase(),
          asText(filled(value, values)),
        ]),
      ),
    },
    ...(encoded !== undefined && { body: encoded.content }),
    // A token more does no harm. What proves the account goes to this address only, and not where it redirects.
    effect: 'repeatable',
    maxRedirects: 0,
    ...(signal !== undefined && { signal }),
    app: 'the token exchange of My App',
  });
  if (answer.status >= 200 && answer.status < 300) {
    return parseBody(answer.body, answer.headers['content-type']);
  }
  throw new AppError('own_api_refused', { status: answer.status });
}

function filled(value: unknown, values: Readonly<Record<string, unknown>>): unknown {
  return render(compileTemplate(value), { values, node: () => undefined }, { missing: 'omit' });
}

/** What templates read as `linked_account`. */
async function accountOf(deps: OwnApiDeps, tenant: Tenant, linkedAccountId: string): Promise<Account> {
  const [id, sealed, udf] = await Promise.all([
    findAccountId(deps.pool, tenant, linkedAccountId),
    orgCredentials(deps.pool, tenant, linkedAccountId),
    udfValues(deps.pool, tenant, linkedAccountId),
  ]);
  const context = sealContext('linked_account.org_credentials_sealed', linkedAccountId);
  return { id, udf, auth_credentials: sealed === null ? {} : deps.vault.openJson(sealed, context) };
}
