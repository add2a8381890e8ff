import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connector, type Place, ProviderError, type Values } from '@inlay/connectors/kit';
import { currentOAuthClient } from '#connections/apps';
import {
  type Credential,
  type KeyCredential,
  type OAuthClient,
  type OAuthCredential,
  openCredential,
  sealCredential,
} from '#connections/credential';
import type { ConnectionDeps } from '#connections/deps';
import { login } from '#connections/login';
import { refreshTokens, TokenRefusal } from '#connections/token-endpoint';
import { findAppSetting } from '#db/app-setting';
import {
  type ConnectionRow,
  expireConnection,
  findConnection,
  postponeRefresh,
  storeRenewedCredential,
  takeRefreshLease,
} from '#db/connection';
import type { Db } from '#db/schema';
import { AppError } from '#domain/errors';
import type { Tenant } from '#domain/tenant';

export type RenewDeps = Pick<
  ConnectionDeps,
  'db' | 'vault' | 'clock' | 'outbound' | 'connectors' | 'config' | 'log'
>;

/** A connection ready for a call: the row as read, and its credential opened. */
export interface LiveConnection {
  readonly row: ConnectionRow;
  readonly credential: Credential;
}

/** Who the connection belongs to, in the words of error texts. */
export interface ConnectionOwner {
  readonly tenant: Tenant;
  readonly connector: Connector;
  readonly vars: Values;
  readonly accountId: string;
}

/** Longer than a token request may take, so that a lease runs out only when its holder is dead. */
const leaseMs = 30_000;
const longestWaitMs = 60_000;
/** Renewed this long before the end, or a tenth of its life for short tokens. */
const headStartMs = 60_000;
/** Definite refusals other than a dead grant (a deleted client, say) before we believe them. */
const refusalsBelieved = 5;

/**
 * The credential to call with now: the stored one, or a renewed one when that is about to end.
 *
 * @throws AppError `connection_needs_reauth` when it ended for good, `refresh_unavailable` when the provider cannot
 * renew it just now
 */
export async function liveConnection(
  deps: RenewDeps,
  owner: ConnectionOwner,
  row: ConnectionRow,
): Promise<LiveConnection> {
  if (row.status === 'expired') throw needsReauth(owner);
  const stored = { row, credential: openCredential(deps.vault, row) };
  const now = deps.clock.now();
  if (!isDue(stored, now)) return stored;
  const hasEnded = row.access_expires_at !== null && row.access_expires_at <= now;
  if (!isRenewable(owner.connector, stored.credential)) {
    if (!hasEnded) return stored;
    await expireConnection(deps.db, row, {
      reason: 'The access token ended and the provider gave no refresh token',
      detail: {},
      now,
    });
    throw needsReauth(owner);
  }
  try {
    return await renewOnce(deps, owner, row);
  } catch (error) {
    // Too early is not too late: the old token still works.
    if (error instanceof AppError && error.code === 'refresh_unavailable' && !hasEnded) return stored;
    throw error;
  }
}

function isDue({ row, credential }: LiveConnection, now: Date): boolean {
  if (row.access_expires_at === null) return false;
  const end = row.access_expires_at.getTime();
  const issued = Date.parse(credential.issuedAt ?? '');
  const life = Number.isNaN(issued) ? headStartMs * 10 : end - issued;
  return now.getTime() >= end - Math.min(headStartMs, life / 10);
}

/** Whether a new access token can be had without the customer. */
export function isRenewable(connector: Connector, credential: Credential): boolean {
  if (credential.kind === 'keybased') return connector.auth.keybased?.login !== undefined;
  return credential.refreshToken !== undefined && connector.auth.oauth2?.refresh !== 'none';
}

/** Renewals under way in this process, by database and by connection with version. */
const flights = new WeakMap<Db, Map<string, Promise<LiveConnection>>>();

/**
 * Renews the credential of `row`, once however many callers and processes ask: callers of this process share one
 * promise, processes share a lease in the row, and whoever waited takes what the winner stored.
 *
 * @throws AppError `connection_needs_reauth`, `refresh_unavailable`, `not_connected`
 */
export function renewOnce(
  deps: RenewDeps,
  owner: ConnectionOwner,
  row: ConnectionRow,
): Promise<LiveConnection> {
  let ours = flights.get(deps.db);
  if (ours === undefined) flights.set(deps.db, (ours = new Map()));
  const key = `${row.id}:${row.credential_version}`;
  const running = ours.get(key);
  if (running !== undefined) return running;
  const flight = renewAcrossProcesses(deps, owner, row).finally(() => ours.delete(key));
  ours.set(key, flight);
  return flight;
}

async function renewAcrossProcesses(
  deps: RenewDeps,
  owner: ConnectionOwner,
  row: ConnectionRow,
): Promise<LiveConnection> {
  const lease = randomUUID();
  const startedAt = performance.now();
  for (let current = row; ;) {
    if (current.status === 'expired') throw needsReauth(owner);
    if (current.credential_version !== row.credential_version) return opened(deps, current);
    const now = deps.clock.now();
    if (current.refresh_retry_at !== null && current.refresh_retry_at > now) {
      throw unavailable(owner, current.refresh_retry_at.getTime() - now.getTime());
    }
    if (await takeRefreshLease(deps.db, current, { owner: lease, leaseMs, now })) {
      return renewWithLease(deps, owner, current, lease);
    }
    if (performance.now() - startedAt > longestWaitMs) throw unavailable(owner, leaseMs);
    // Another process is at it. Its token is here in a moment; a poll of one indexed row is the cheapest way to see.
    await sleep(25 + Math.random() * 25);
    current = await reread(deps, owner, row);
  }
}

async function renewWithLease(
  deps: RenewDeps,
  owner: ConnectionOwner,
  row: ConnectionRow,
  lease: string,
): Promise<LiveConnection> {
  const place: Place = { meta: row.meta, vars: owner.vars };
  try {
    const credential = openCredential(deps.vault, row);
    const renewed =
      credential.kind === 'oauth2'
        ? await renewOAuth(deps, owner, place, credential)
        : await renewLogin(deps, owner, row, credential);
    // The old refresh token may be dead from here on: the new one is stored before anything uses it.
    const isStored = await firmly(() =>
      storeRenewedCredential(deps.db, row, {
        ...renewed,
        sealed: sealCredential(deps.vault, row.id, renewed.credential),
        meta: { ...row.meta, ...renewed.meta },
        now: deps.clock.now(),
      }),
    );
    const stored = await reread(deps, owner, row);
    // Not stored: the account connected anew meanwhile, and that credential is the one that counts.
    return isStored ? { row: stored, credential: renewed.credential } : opened(deps, stored);
  } catch (error) {
    return afterFailure(deps, owner, row, lease, error);
  }
}

/** Tries a few times: a hiccup of the database at this moment would cost the account its connection. */
async function firmly<T>(store: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await store();
    } catch (error) {
      if (attempt === 4) throw error;
      await sleep(100 * 2 ** attempt);
    }
  }
}

interface Renewed {
  readonly credential: Credential;
  readonly accessExpiresAt: Date | null;
  /** undefined: as before */
  readonly refreshExpiresAt: Date | null | undefined;
  readonly grantedScopes: readonly string[] | null;
  readonly meta: Values;
}

async function renewOAuth(
  deps: RenewDeps,
  owner: ConnectionOwner,
  place: Place,
  credential: OAuthCredential,
): Promise<Renewed> {
  const { oauth2 } = owner.connector.auth;
  if (oauth2 === undefined || credential.refreshToken === undefined) throw needsReauth(owner);
  const now = deps.clock.now();
  const client = await clientFor(deps, owner, credential.client);
  const grant = await refreshTokens(
    deps.outbound,
    { connector: owner.connector, oauth2, client, place, now },
    { refreshToken: credential.refreshToken, redirectUri: credential.redirectUri },
  );
  const isRotated = grant.refreshToken !== undefined && oauth2.refresh !== 'never';
  return {
    credential: {
      ...credential,
      client,
      accessToken: grant.accessToken,
      // Some answers leave the refresh token out: then the old one goes on.
      ...(isRotated && { refreshToken: grant.refreshToken }),
      issuedAt: now.toISOString(),
    },
    accessExpiresAt: grant.expiresAt,
    // Where use does not extend the refresh token's life, its end was set when the account authorized.
    refreshExpiresAt:
      isRotated && oauth2.refreshTokenLifetimeSeconds === undefined ? grant.refreshExpiresAt : undefined,
    grantedScopes: grant.scopes,
    meta: grant.meta,
  };
}

/** The client that made the connection, with its present secret if the settings know a newer one. */
async function clientFor(deps: RenewDeps, owner: ConnectionOwner, used: OAuthClient): Promise<OAuthClient> {
  const setting = await findAppSetting(deps.db, owner.tenant, owner.connector.slug);
  if (setting === undefined) return used;
  try {
    const current = currentOAuthClient(deps, owner.tenant, owner.connector, setting);
    return current.id === used.id ? current : used;
  } catch (error) {
    if (error instanceof AppError && error.code === 'app_not_configured') return used;
    throw error;
  }
}

async function renewLogin(
  deps: RenewDeps,
  owner: ConnectionOwner,
  row: ConnectionRow,
  credential: KeyCredential,
): Promise<Renewed> {
  const now = deps.clock.now();
  const session = await login(deps, owner, {
    fields: credential.fields,
    meta: row.meta,
    now,
    connectionId: row.id,
  });
  return {
    credential: {
      ...credential,
      ...(session.token !== undefined && { token: session.token }),
      issuedAt: now.toISOString(),
    },
    accessExpiresAt: session.expiresAt,
    refreshExpiresAt: undefined,
    grantedScopes: null,
    meta: session.meta,
  };
}

async function afterFailure(
  deps: RenewDeps,
  owner: ConnectionOwner,
  row: ConnectionRow,
  lease: string,
  error: unknown,
): Promise<LiveConnection> {
  const now = deps.clock.now();
  const refusal = definiteRefusal(error);
  if (refusal?.isDead === true || (refusal !== undefined && row.refresh_failures + 1 >= refusalsBelieved)) {
    const isOurs = await expireConnection(deps.db, row, {
      reason: refusal.reason,
      detail: refusal.detail,
      now,
    });
    if (!isOurs) {
      // The credential moved on while the provider was looking at the old one: a lost race, not the end.
      const current = await reread(deps, owner, row);
      if (current.status === 'active') return opened(deps, current);
    }
    throw needsReauth(owner, error);
  }
  const rest = restMs(row.refresh_failures);
  await postponeRefresh(deps.db, row, { owner: lease, retryAt: new Date(now.getTime() + rest) });
  deps.log.warn(
    { err: error, slug: owner.connector.slug, connectionId: row.id },
    'token refresh failed, will be tried again',
  );
  if (error instanceof AppError && error.code === 'not_connected') throw error;
  throw unavailable(owner, rest, error);
}

/** 2 s after the first failure, doubling up to 5 min: a dead provider is asked a few hundred times a day, not 60,000. */
function restMs(failures: number): number {
  return Math.min(300_000, 2_000 * 2 ** Math.min(failures, 10));
}

interface Refusal {
  readonly isDead: boolean;
  readonly reason: string;
  readonly detail: Record<string, unknown>;
}

/** What the provider said no to; undefined for anything that may pass by itself. */
function definiteRefusal(error: unknown): Refusal | undefined {
  if (error instanceof TokenRefusal) {
    if (!error.isDeadGrant && (error.status === 429 || error.status >= 500)) return undefined;
    return {
      isDead: error.isDeadGrant,
      reason: error.isDeadGrant
        ? 'The provider no longer accepts the refresh token'
        : `The provider refuses to renew the access token (${error.error})`,
      detail: {
        error: error.error,
        ...(error.description !== undefined && { error_description: error.description }),
      },
    };
  }
  if (error instanceof ProviderError && error.status < 500 && error.status !== 429 && error.status !== 408) {
    return {
      isDead: error.status === 401 || error.status === 403,
      reason: 'The provider no longer accepts the key',
      detail: { status: error.status },
    };
  }
  return undefined;
}

async function reread(deps: RenewDeps, owner: ConnectionOwner, row: ConnectionRow): Promise<ConnectionRow> {
  const current = await findConnection(deps.db, owner.tenant, row.id);
  if (current === undefined) {
    throw new AppError('not_connected', { app: owner.connector.name, account: owner.accountId });
  }
  return current;
}

function opened(deps: RenewDeps, row: ConnectionRow): LiveConnection {
  return { row, credential: openCredential(deps.vault, row) };
}

/** The connection of `owner` has to be authorized again. */
export function needsReauth(owner: ConnectionOwner, cause?: unknown): AppError {
  return new AppError(
    'connection_needs_reauth',
    { app: owner.connector.name, account: owner.accountId },
    { cause },
  );
}

function unavailable(owner: ConnectionOwner, retryAfterMs: number, cause?: unknown): AppError {
  return new AppError('refresh_unavailable', { app: owner.connector.name, retryAfterMs }, { cause });
}
