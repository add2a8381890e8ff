import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { APIError } from 'better-auth/api';
import { z } from 'zod';
import { authHeaders, consoleOf, refuseCrossSite } from '#api/admin/guard';
import type { ApiApp } from '#api/app';
import type { ConsoleAuth } from '#api/console-auth';
import { createConsoleOwner } from '#api/console-owner';
import type { ApiDeps } from '#api/deps';
import { createRateLimiter } from '#api/rate-limit';
import { clearSignInFailures, findSignInLock, type LockPolicy, recordSignInFailure } from '#db/console';
import { AppError } from '#domain/errors';

const tags = ['Dashboard: session'];
const lockPolicy: LockPolicy = { allowed: 5, lockMs: 5 * 60_000, forgetMs: 15 * 60_000 };
/** Attempts a minute from one address, whatever the emails. */
const attemptsPerMinute = 240;

const email = z.email('is not an email address').max(200);
const signedIn = z.object({ ok: z.literal(true) });

/** Sign-in, sign-up and sign-out of the dashboard, and who is signed in. */
export function adminSessionRoutes(app: ApiApp, deps: ApiDeps, auth: ConsoleAuth): void {
  const takeAttempt = createRateLimiter(deps.clock, attemptsPerMinute);

  app.post(
    '/api/admin/sign-in',
    {
      config: { auth: 'none' },
      schema: {
        tags,
        summary: 'Sign in',
        body: z.object({ email, password: z.string().min(1).max(200) }),
        response: { 200: signedIn },
      },
    },
    async (request, reply) => {
      refuseCrossSite(deps.config.publicUrl, request);
      takeAttempt(request.ip);
      const emailHash = createHash('sha256').update(request.body.email.trim().toLowerCase()).digest();
      const now = deps.clock.now();
      const lockedUntil = await findSignInLock(deps.db, emailHash, now);
      if (lockedUntil !== undefined) {
        throw new AppError('sign_in_locked', {
          retryAfterSeconds: Math.ceil((lockedUntil.getTime() - now.getTime()) / 1000),
        });
      }
      const result = await auth.api
        .signInEmail({ body: request.body, headers: authHeaders(request), returnHeaders: true })
        .catch(async (error: unknown) => {
          if (!(error instanceof APIError) || error.statusCode >= 500) throw error;
          await recordSignInFailure(deps.db, emailHash, deps.clock.now(), lockPolicy);
          throw new AppError('sign_in_failed', undefined, { cause: error });
        });
      await clearSignInFailures(deps.db, emailHash);
      passCookies(result.headers, reply);
      return { ok: true as const };
    },
  );

  app.post(
    '/api/admin/sign-up',
    {
      config: { auth: 'none' },
      schema: {
        tags,
        summary: 'Create a user and an organization',
        body: z.object({
          email,
          password: z.string().min(10).max(200),
          name: z.string().trim().min(1).max(200),
          organization: z.string().trim().min(1).max(200),
        }),
        response: { 200: signedIn },
      },
    },
    async (request, reply) => {
      refuseCrossSite(deps.config.publicUrl, request);
      takeAttempt(request.ip);
      if (deps.config.signUp === 'closed') throw new AppError('sign_up_closed', undefined);
      const { headers } = await createConsoleOwner(deps, auth, request.body, authHeaders(request));
      passCookies(headers, reply);
      return { ok: true as const };
    },
  );

  app.post(
    '/api/admin/sign-out',
    { config: { auth: 'console' }, schema: { tags, summary: 'Sign out', response: { 200: signedIn } } },
    async (request, reply) => {
      const { headers } = await auth.api.signOut({ headers: authHeaders(request), returnHeaders: true });
      passCookies(headers, reply);
      return { ok: true as const };
    },
  );

  app.post(
    '/api/admin/change-password',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Change the password; every other sign-in ends',
        body: z.object({
          current_password: z.string().min(1).max(200),
          new_password: z.string().min(10).max(200),
        }),
        response: { 200: signedIn },
      },
    },
    async (request, reply) => {
      const { current_password: currentPassword, new_password: newPassword } = request.body;
      takeAttempt(request.ip);
      const result = await auth.api
        .changePassword({
          body: { currentPassword, newPassword, revokeOtherSessions: true },
          headers: authHeaders(request),
          returnHeaders: true,
        })
        .catch((cause: unknown) => {
          if (!(cause instanceof APIError) || cause.statusCode >= 500) throw cause;
          const problems = [{ path: 'current_password', message: 'is wrong' }];
          throw new AppError('invalid_request', { problems }, { cause });
        });
      passCookies(result.headers, reply);
      return { ok: true as const };
    },
  );

  app.get(
    '/api/admin/session',
    {
      config: { auth: 'console' },
      schema: {
        tags,
        summary: 'Who is signed in, and for which organization',
        response: {
          200: z.object({
            user: z.object({ id: z.string(), email: z.string(), name: z.string() }),
            organization: z.object({ id: z.string(), name: z.string() }),
            role: z.string(),
            environment: z.enum(['test', 'production']),
          }),
        },
      },
    },
    (request) => {
      const { user, orgId, role, memberships, environment } = consoleOf(request);
      const name = memberships.find((membership) => membership.orgId === orgId)?.organizationName ?? '';
      return { user, organization: { id: orgId, name }, role, environment };
    },
  );
}

function passCookies(headers: Headers, reply: FastifyReply): void {
  for (const cookie of headers.getSetCookie()) reply.header('set-cookie', cookie);
}
