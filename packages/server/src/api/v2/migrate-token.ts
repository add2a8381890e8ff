import { z } from 'zod';
import type { ApiApp } from '#api/app';
import { accountCallerOf } from '#api/caller';
import type { ApiDeps } from '#api/deps';
import { connectWithKeys, importOAuthCredential } from '#connections/index';
import { AppError } from '#domain/errors';

const texts = z.record(z.string(), z.string());
const nested = z.union([z.strictObject({ oauth2: texts }), z.strictObject({ keybased: texts })]);

/** Taking over credentials from another system: spec/api §4.3. */
export function migrateTokenRoutes(app: ApiApp, deps: ApiDeps): void {
  app.put(
    '/api/v2/public/migrate-token',
    {
      config: { auth: 'key+account' },
      schema: {
        tags: ['Connecting'],
        summary: 'Import the credentials of a linked account from another system',
        operationId: 'migrateTokenForLinkedAccount',
        body: z.looseObject({
          slug: z.string().min(1),
          auth_object: z
            .union([nested, texts])
            .describe('`{oauth2: {…}}`, `{keybased: {…}}`, or the fields alone.'),
        }),
        response: { 200: z.object({ success: z.literal(true), message: z.string() }) },
      },
    },
    async (request) => {
      const { tenant, linkedAccount } = accountCallerOf(request);
      const { slug, auth_object: given } = request.body;
      const connector = deps.connectors.get(slug);
      if (connector === undefined) throw new AppError('app_not_found', { slug, orgId: tenant.orgId });
      const { isOAuth, fields } = split(given);
      const input = { tenant, linkedAccount, slug, fields };
      const { isNew } = isOAuth
        ? await importOAuthCredential(deps, input)
        : await connectWithKeys(deps, input);
      return { success: true as const, message: `Integration - ${slug} ${isNew ? 'created' : 'updated'}` };
    },
  );
}

type AuthObject = z.output<typeof nested> | z.output<typeof texts>;

/** Older clients send the fields alone: tokens tell OAuth from keys. */
function split(given: AuthObject): { isOAuth: boolean; fields: Record<string, string> } {
  const { oauth2, keybased } = given as Record<string, string | Record<string, string>>;
  if (typeof oauth2 === 'object') return { isOAuth: true, fields: oauth2 };
  if (typeof keybased === 'object') return { isOAuth: false, fields: keybased };
  const fields = given as Record<string, string>;
  return { isOAuth: 'access_token' in fields || 'refresh_token' in fields, fields };
}
