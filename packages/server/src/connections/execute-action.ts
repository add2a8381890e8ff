import {
  type ApiRequest,
  type ApiResponse,
  checkConnection,
  type Choice,
  type Connector,
  type Effect,
  effectOf,
  findAction,
  loadOptions,
  type Placement,
  ProviderError,
  runAction,
  type Values,
} from '@inlay/connectors/kit';
import type { Credential } from '#connections/credential';
import { customAction, definitionOf, placedToken } from '#connections/custom-actions/action';
import { calledCustomAction, connectorWithCustomActions, isBuiltIn } from '#connections/custom-actions/find';
import { openTls } from '#connections/custom-actions/store';
import { customActionTools } from '#connections/custom-actions/tools';
import type { ConnectionDeps } from '#connections/deps';
import { describedApp, ownAppSlug } from '#connections/own-api/connector';
import { withOwnApi } from '#connections/own-api/own-api';
import { inputProblem } from '#connections/input-problem';
import { budgetKey, placementOf, providerHttp, type ProviderPort } from '#connections/provider-http';
import {
  type ConnectionOwner,
  isRenewable,
  type LiveConnection,
  liveConnection,
  needsReauth,
  renewOnce,
} from '#connections/renew';
import { expireConnection, findCallContext } from '#db/connection';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';
import type { ClientTls, OutboundStream } from '#outbound/index';

/** What came of an action. A provider's refusal is an outcome: its status, and its body as data. */
export interface ActionResult {
  readonly ok: boolean;
  readonly status: number;
  readonly data: unknown;
  readonly retryAfterMs?: number;
}

/** What a custom action has of its own on the way to the app. */
interface Transport {
  readonly tls?: ClientTls | undefined;
  /** Where the credential stands, in place of where the connector has it. */
  readonly place?: (credential: Credential) => Placement;
  /** The request is the one of a custom action, and not whatever a caller asks for. */
  readonly isDefined?: boolean;
}

/** Whose connection to which app. */
export interface ConnectionTarget {
  readonly tenant: Tenant;
  /** The record id, not the SaaS company's own one. */
  readonly linkedAccountId: string;
  readonly slug: string;
  readonly signal?: AbortSignal;
  /** 1: the caller plans every further attempt of a request itself. */
  readonly maxAttempts?: number;
  readonly transport?: Transport;
}

export interface ActionCall extends ConnectionTarget {
  readonly actionId: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Sent to providers that take one: the same key again does not repeat the effect. */
  readonly idempotencyKey?: string;
}

/**
 * Runs an action with the account's credential, renewed when it is due.
 *
 * @throws AppError `app_not_found`, `action_not_found`, `action_parameter_missing`, `invalid_request`,
 * `not_connected`, `connection_needs_reauth`, `refresh_unavailable`, and those of `Outbound.send`
 */
export async function executeAction(deps: ConnectionDeps, call: ActionCall): Promise<ActionResult> {
  const own = await calledCustomAction(deps, call);
  const injection = own && definitionOf(own).token_injection;
  const transport: Transport = {
    tls: own && openTls(deps.vault, own),
    isDefined: own !== undefined,
    ...(injection !== undefined && { place: (credential) => placedToken(injection, credential) }),
  };
  const within = call.slug === ownAppSlug ? withOwnApi : withConnection;
  return within(deps, { ...call, transport }, async (plain, http) => {
    const connector =
      own === undefined
        ? plain
        : { ...plain, actions: { [own.action_id]: customAction(own, customActionTools(deps, call, http)) } };
    const output = await runAction(connector, call.actionId, call.input, http, {
      now: deps.clock.now(),
      ...(call.idempotencyKey !== undefined && { idempotencyKey: call.idempotencyKey }),
    });
    if (output.ok) return { ok: true, status: output.status, data: output.data };
    const { status, body, retryAfterMs } = output.error;
    return { ok: false, status, data: body, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  });
}

/** The choices that an app's live list offers this account. @throws as `executeAction`, and `provider_refused` */
export async function loadFieldOptions(
  deps: ConnectionDeps,
  call: ConnectionTarget & {
    readonly optionsName: string;
    readonly params: Readonly<Record<string, unknown>>;
  },
): Promise<Choice[]> {
  return withConnection(deps, call, async (connector, http) => {
    try {
      return await loadOptions(connector, call.optionsName, call.params, http);
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      throw new AppError(
        'provider_unreachable',
        { app: connector.name, reason: `it answered with status ${error.status}` },
        { cause: error },
      );
    }
  });
}

/**
 * Sends one request of a connector with the account's credential; a refusal is an answer like any other.
 *
 * @returns the answer, and what is known of the connection
 * @throws as `executeAction`
 */
export async function sendWithConnection(
  deps: ConnectionDeps,
  target: ConnectionTarget,
  request: ApiRequest,
): Promise<{ readonly response: ApiResponse; readonly meta: Values }> {
  return withConnection(deps, target, async (_connector, http, meta) => ({
    response: await http.send(request),
    meta,
  }));
}

/**
 * What resending an action would do. That of an app's own connector is known at once.
 *
 * @throws AppError `app_not_found`, `action_not_found`
 */
export function actionEffect(
  deps: Pick<ConnectionDeps, 'pool' | 'connectors'>,
  call: Pick<ActionCall, 'tenant' | 'slug' | 'actionId' | 'input' | 'idempotencyKey'>,
): Effect | Promise<Effect> {
  const { tenant, slug, actionId } = call;
  const connector = describedApp(deps.connectors, slug);
  if (connector !== undefined && isBuiltIn(connector, actionId)) return effectIn(connector, call);
  return connectorWithCustomActions(deps, tenant, slug, actionId).then((found) => effectIn(found, call));
}

function effectIn(
  connector: Connector,
  { actionId, input, idempotencyKey }: Pick<ActionCall, 'actionId' | 'input' | 'idempotencyKey'>,
): Effect {
  try {
    return effectOf(findAction(connector, actionId), input, idempotencyKey);
  } catch (error) {
    throw inputProblem(error, connector);
  }
}

/** Runs `work` with a port that carries the connection's credential. @throws as `executeAction` */
export async function withConnection<T>(
  deps: ConnectionDeps,
  target: ConnectionTarget,
  work: (connector: Connector, http: ProviderPort, meta: Values) => Promise<T>,
): Promise<T> {
  const { tenant, slug } = target;
  const connector = deps.connectors.get(slug);
  const context = connector && (await findCallContext(deps.pool, tenant, target.linkedAccountId, slug));
  if (connector === undefined || context?.is_enabled !== true) {
    throw new AppError('app_not_found', { slug, orgId: tenant.orgId });
  }
  const owner: ConnectionOwner = {
    tenant,
    connector,
    vars: context.variables,
    accountId: context.account_id,
  };
  if (context.connection === undefined) {
    throw new AppError('not_connected', { app: connector.name, account: owner.accountId });
  }
  try {
    const live = await liveConnection(deps, owner, context.connection);
    return await work(connector, connectionHttp(deps, owner, live, target), live.row.meta);
  } catch (error) {
    throw inputProblem(error, connector);
  }
}

/**
 * A port with the connection's credential. When the provider calls the access token dead, it is renewed once and
 * the request sent again: a refused request had no effect, so even one that must happen once may be repeated.
 */
function connectionHttp(
  deps: ConnectionDeps,
  owner: ConnectionOwner,
  start: LiveConnection,
  { transport, ...limits }: Pick<ConnectionTarget, 'signal' | 'maxAttempts' | 'transport'>,
): ProviderPort {
  const { connector } = owner;
  let live = start;
  const portOf = ({ row, credential }: LiveConnection): ProviderPort => {
    const place = { meta: row.meta, vars: owner.vars };
    const provider = { connector, place, budgetKey: budgetKey(connector, owner.tenant, row.id) };
    const placement = transport?.place?.(credential) ?? placementOf(connector, credential, place);
    return providerHttp(deps.outbound, provider, placement, { ...limits, tls: transport?.tls });
  };
  const isRejected = ({ status }: { status: number }): boolean =>
    connector.http.expiredStatus.includes(status);

  /** @param leave - what becomes of an answer that nobody reads */
  async function renewed<Answer extends { readonly status: number }>(
    ask: (port: ProviderPort) => Promise<Answer>,
    leave: (answer: Answer) => void = () => undefined,
  ): Promise<Answer> {
    let response = await ask(portOf(live));
    if (isRejected(response) && isRenewable(connector, live.credential)) {
      leave(response);
      live = await renewOnce(deps, owner, live.row);
      response = await ask(portOf(live));
    }
    if (isRejected(response) && (await isRejectedByCheck(portOf(live)))) {
      leave(response);
      await expireConnection(deps.db, live.row, {
        reason: 'The provider no longer accepts the credential',
        detail: { status: response.status },
        now: deps.clock.now(),
      });
      throw needsReauth(owner);
    }
    return response;
  }

  return {
    send: (request) => renewed((port) => port.send(request)),
    open: (request) =>
      renewed<OutboundStream>(
        (port) => port.open(request),
        ({ body }) => void body.destroy(),
      ),
  };

  /** One endpoint may answer 401 for reasons of its own; only the connector's check speaks for the credential. */
  async function isRejectedByCheck(http: ProviderPort): Promise<boolean> {
    const { meta } = live.row;
    try {
      await checkConnection(connector, http, { meta, vars: owner.vars });
      return false;
    } catch (error) {
      return error instanceof ProviderError && connector.http.expiredStatus.includes(error.status);
    }
  }
}
