import { createHash, randomBytes } from 'node:crypto';
import { signSessionToken } from '#connections/session-jwt';
import { bindConnectLink, findConnectLink, insertConnectLink } from '#db/connect-link';
import { findOrganization } from '#db/organization';
import { findHostedProperties, findSessionTokenRow, storeHostedProperties } from '#db/session-token';
import type { SessionTokenDeps } from '#connections/session-tokens';
import { AppError } from '#domain/errors';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';

type ConnectLinkDeps = Omit<SessionTokenDeps, 'config'> & {
  readonly config: SessionTokenDeps['config'] & { readonly publicUrl: string };
};

/** How long the look of a hosted page is kept (spec/api §4.2). */
const propertiesDays = 3;

/** Who the hosted page is for, and how it looks. */
export interface ConnectLinkInput {
  readonly linkedAccount: LinkedAccountRef;
  readonly sessionJti: string;
  readonly configId?: string | undefined;
  /** Stored as it is; the page reads `color`, `bgColor` and `name`. */
  readonly properties: Record<string, unknown>;
}

/**
 * Makes the URL of the hosted page. The token in it is random, not the session token: it can be opened by one
 * browser only and is worthless afterwards, wherever the URL was logged. It lives no longer than the session.
 */
export async function createConnectLink(
  deps: ConnectLinkDeps,
  tenant: Tenant,
  input: ConnectLinkInput,
): Promise<string> {
  const now = deps.clock.now();
  const token = randomBytes(32).toString('base64url');
  const session = await findSessionTokenRow(deps.db, tenant, input.sessionJti, now);
  if (session === undefined) throw new AppError('invalid_token', undefined);
  await deps.db.transaction().execute(async (db) => {
    const until = new Date(now.getTime() + propertiesDays * 86_400_000);
    await storeHostedProperties(db, tenant, input.sessionJti, input.properties, until);
    await insertConnectLink(db, tenant, {
      tokenHash: sha256(token),
      linkedAccountId: input.linkedAccount.id,
      sessionJti: input.sessionJti,
      configId: input.configId ?? null,
      createdAt: now,
      expiresAt: session.expires_at,
    });
  });
  const url = new URL(`/connect/${token}`, deps.config.publicUrl);
  if (input.configId !== undefined) url.searchParams.set('config_id', input.configId);
  return url.href;
}

/** What the hosted page gets for its link. */
export interface OpenedConnectLink {
  readonly sessionToken: string;
  /** Names the link on a reload; it opens nothing without the browser's cookie. */
  readonly link: string;
  readonly expiresAt: Date;
  readonly tenant: Tenant;
  readonly organization: {
    readonly name: string;
    readonly logo: string | null;
    readonly returnUrl: string | undefined;
  };
  readonly linkedAccount: LinkedAccountRef;
  readonly configId: string | null;
  readonly properties: Record<string, unknown>;
}

/**
 * Opens a link for a browser, known by a secret in its cookie. The first browser binds the link; another one
 * is refused, so a link that leaked by a log or a forwarded mail opens nothing.
 *
 * @throws connect_link_invalid, connect_link_taken
 */
export async function openConnectLink(
  deps: ConnectLinkDeps,
  input: { readonly browserSecret: string } & ({ readonly token: string } | { readonly link: string }),
): Promise<OpenedConnectLink> {
  const now = deps.clock.now();
  const isFirstTime = 'token' in input;
  const tokenHash = isFirstTime ? sha256(input.token) : Buffer.from(input.link, 'hex');
  const link = await findConnectLink(deps.db, tokenHash, now);
  // The name of a link, which is no secret, opens only what the token bound before.
  if (link === undefined || (!isFirstTime && link.browser_hash === null)) {
    throw new AppError('connect_link_invalid', undefined);
  }
  const tenant: Tenant = { orgId: link.org_id, environment: link.environment };
  const session = await findSessionTokenRow(deps.db, tenant, link.session_jti, now);
  const organization = await findOrganization(deps.db, link.org_id);
  if (session === undefined || organization === undefined)
    throw new AppError('connect_link_invalid', undefined);
  if (!(await bindConnectLink(deps.db, tokenHash, sha256(input.browserSecret)))) {
    throw new AppError('connect_link_taken', undefined);
  }
  return {
    sessionToken: await signSessionToken(deps.vault.deriveKey('session-token'), {
      orgId: tenant.orgId,
      accountId: session.account_id,
      environment: tenant.environment,
      jti: session.jti,
      issuedAt: session.issued_at,
      expiresAt: session.expires_at,
      isWorkflowReadOnly: session.is_workflow_read_only,
    }),
    expiresAt: session.expires_at,
    tenant,
    link: tokenHash.toString('hex'),
    organization: {
      name: organization.name,
      logo: organization.logo,
      returnUrl: webAddress(organization.settings['portal_return_url']),
    },
    linkedAccount: { id: link.linked_account_id, accountId: session.account_id, name: session.name },
    configId: link.config_id,
    properties: (await findHostedProperties(deps.db, tenant, session.jti, now)) ?? {},
  };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** A link of the organisation's choice is shown to its customers: never one that runs code. */
function webAddress(value: unknown): string | undefined {
  return typeof value === 'string' && /^https?:\/\//i.test(value) && URL.canParse(value) ? value : undefined;
}
