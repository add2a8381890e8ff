import { betterAuth } from 'better-auth';
import { organization } from 'better-auth/plugins/organization';
import type { ApiDeps } from '#api/deps';
import { newId } from '#domain/ids';

/** Twelve hours of rest end a sign-in; use keeps it alive. */
const sessionSeconds = 12 * 3600;

/**
 * Users of the dashboard: password hashes, sessions and memberships are better-auth's business, in our tables.
 * Its HTTP handler is not mounted: only the operations that `api/admin` calls are reachable.
 */
export function createConsoleAuth(deps: Pick<ApiDeps, 'config' | 'db' | 'vault' | 'log'>) {
  return betterAuth({
    appName: 'Inlay',
    baseURL: deps.config.publicUrl,
    basePath: '/api/admin/auth',
    secret: deps.vault.deriveKey('console-session').toString('base64'),
    logger: { log: (level, message) => deps.log[level]({ part: 'console sign-in' }, message) },
    telemetry: { enabled: false },
    database: { db: deps.db, type: 'postgres', transaction: true },
    advanced: {
      cookiePrefix: 'inlay',
      useSecureCookies: deps.config.publicUrl.startsWith('https:'),
      database: { generateId: () => newId() },
    },
    emailAndPassword: { enabled: true, minPasswordLength: 10, maxPasswordLength: 200, autoSignIn: true },
    user: {
      modelName: 'console_user',
      fields: { emailVerified: 'email_verified', createdAt: 'created_at', updatedAt: 'updated_at' },
    },
    session: {
      modelName: 'console_session',
      expiresIn: sessionSeconds,
      updateAge: 600,
      fields: {
        userId: 'user_id',
        expiresAt: 'expires_at',
        ipAddress: 'ip_address',
        userAgent: 'user_agent',
        createdAt: 'created_at',
        updatedAt: 'updated_at',
      },
    },
    account: {
      modelName: 'console_account',
      fields: {
        userId: 'user_id',
        accountId: 'account_id',
        providerId: 'provider_id',
        accessToken: 'access_token',
        refreshToken: 'refresh_token',
        idToken: 'id_token',
        accessTokenExpiresAt: 'access_token_expires_at',
        refreshTokenExpiresAt: 'refresh_token_expires_at',
        createdAt: 'created_at',
        updatedAt: 'updated_at',
      },
    },
    verification: {
      modelName: 'console_verification',
      fields: { expiresAt: 'expires_at', createdAt: 'created_at', updatedAt: 'updated_at' },
    },
    plugins: [
      organization({
        schema: {
          organization: {
            modelName: 'organization',
            fields: { createdAt: 'created_at', updatedAt: 'updated_at' },
          },
          member: {
            modelName: 'organization_member',
            fields: { organizationId: 'organization_id', userId: 'user_id', createdAt: 'created_at' },
          },
          invitation: {
            modelName: 'organization_invitation',
            fields: {
              organizationId: 'organization_id',
              inviterId: 'inviter_id',
              expiresAt: 'expires_at',
              createdAt: 'created_at',
            },
          },
          session: { fields: { activeOrganizationId: 'active_organization_id' } },
        },
      }),
    ],
  });
}

export type ConsoleAuth = ReturnType<typeof createConsoleAuth>;
