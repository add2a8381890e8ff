import { randomBytes, randomUUID } from 'node:crypto';
import { signSessionToken } from '#connections/session-jwt';
import { findReusableSessionToken, insertSessionToken, type SessionTokenRow } from '#db/session-token';
import type { Db } from '#db/schema';
import type { Clock } from '#domain/clock';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';
import type { Vault } from '#vault/index';

export interface SessionTokenDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly config: { readonly sessionTokenHours: number };
}

export interface IssuedSessionToken {
  readonly token: string;
  readonly jti: string;
  readonly expiresAt: Date;
  readonly expiresInSeconds: number;
  /** Opaque: Cobalt's clients expect the members, and their vendor withdrew the operation that took it. */
  readonly refreshToken: string;
  readonly refreshExpiresInSeconds: number;
}

const refreshTokenDays = 30;

/**
 * A session token for one linked account. A living one is handed out again while at least half of its life is
 * left, so that a page which asks on every load does not fill the table, and no page gets a dying token.
 */
export async function issueSessionToken(
  deps: SessionTokenDeps,
  tenant: Tenant,
  account: LinkedAccountRef,
  options: { readonly forceNew: boolean; readonly isWorkflowReadOnly?: boolean },
): Promise<IssuedSessionToken> {
  const now = deps.clock.now();
  const lifeMs = deps.config.sessionTokenHours * 3_600_000;
  const { isWorkflowReadOnly = false } = options;
  const reusable = options.forceNew
    ? undefined
    : await findReusableSessionToken(
        deps.db,
        tenant,
        account.id,
        isWorkflowReadOnly,
        new Date(now.getTime() + lifeMs / 2),
      );
  const row = reusable ?? (await mint(deps.db, tenant, account, { now, lifeMs, isWorkflowReadOnly }));
  return {
    token: await signSessionToken(deps.vault.deriveKey('session-token'), {
      orgId: tenant.orgId,
      accountId: account.accountId,
      environment: tenant.environment,
      jti: row.jti,
      issuedAt: row.issued_at,
      expiresAt: row.expires_at,
      isWorkflowReadOnly: row.is_workflow_read_only,
    }),
    jti: row.jti,
    expiresAt: row.expires_at,
    expiresInSeconds: Math.max(0, Math.floor((row.expires_at.getTime() - now.getTime()) / 1000)),
    refreshToken: randomBytes(32).toString('base64url'),
    refreshExpiresInSeconds: refreshTokenDays * 86_400,
  };
}

async function mint(
  db: Db,
  tenant: Tenant,
  account: LinkedAccountRef,
  { now, lifeMs, isWorkflowReadOnly }: { now: Date; lifeMs: number; isWorkflowReadOnly: boolean },
): Promise<SessionTokenRow> {
  // Whole seconds, as a JWT counts: the stored times must sign to the same token again.
  const issuedAt = new Date(Math.floor(now.getTime() / 1000) * 1000);
  const expiresAt = new Date(issuedAt.getTime() + lifeMs);
  const jti = randomUUID();
  await insertSessionToken(db, tenant, {
    jti,
    linkedAccountId: account.id,
    issuedAt,
    expiresAt,
    isWorkflowReadOnly,
  });
  return {
    jti,
    issued_at: issuedAt,
    expires_at: expiresAt,
    is_workflow_read_only: isWorkflowReadOnly,
  };
}
