import { z } from 'zod';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { AppError } from '#domain/errors';

/** `/healthz`: the process answers. `/readyz`: it can also reach its database. */
export function healthRoutes(app: ApiApp, deps: Pick<ApiDeps, 'pool' | 'config'>): void {
  const healthy = z.object({ status: z.literal('ok'), version: z.string() });

  app.get(
    '/healthz',
    {
      config: { auth: 'none' },
      schema: { tags: ['Health'], summary: 'Is the process alive', response: { 200: healthy } },
    },
    () => ({ status: 'ok' as const, version: deps.config.version }),
  );

  app.get(
    '/readyz',
    {
      config: { auth: 'none' },
      schema: { tags: ['Health'], summary: 'Can requests be served', response: { 200: healthy } },
    },
    async () => {
      await deps.pool.query('select 1').catch((cause: unknown) => {
        throw new AppError('not_ready', undefined, { cause });
      });
      return { status: 'ok' as const, version: deps.config.version };
    },
  );
}
