import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { revokeGrant } from './oauth/adapter.ts';
import { faultOrder, type FaultOrder, type Faults } from './faults.ts';
import type { Stats, StatsReport } from './stats.ts';
import type { Store } from './store.ts';

const selection = z.strictObject({ clientId: z.string().optional(), userId: z.string().optional() });
type Selection = z.infer<typeof selection>;

/** What a test may do to the provider from behind, as its operator could. */
export interface Control {
  setFaults(order: FaultOrder): void;
  clearFaults(): void;
  /** Ends access tokens now, as time would; refresh tokens stay. Returns how many. */
  expireAccessTokens(selection?: Selection): number;
  /** Ends whole grants, as a user does who disconnects an app. Returns how many. */
  revokeGrants(selection?: Selection): number;
  stats(): StatsReport;
  resetStats(): void;
}

export function createControl({
  store,
  faults,
  stats,
}: {
  store: Store;
  faults: Faults;
  stats: Stats;
}): Control {
  const matching = ` and (?1 is null or payload ->> 'clientId' = ?1) and (?2 is null or payload ->> 'accountId' = ?2)`;
  return {
    setFaults: (order) => faults.set(order),
    clearFaults: () => faults.clear(),
    expireAccessTokens({ clientId, userId } = {}) {
      const sql = `delete from oauth_artifact where model in ('AccessToken', 'ClientCredentials')${matching}`;
      return store.run(sql, clientId ?? null, userId ?? null);
    },
    revokeGrants({ clientId, userId } = {}) {
      const sql = `select id from oauth_artifact where model = 'Grant'${matching}`;
      const grants = store.all<{ id: string }>(sql, clientId ?? null, userId ?? null);
      for (const { id } of grants) revokeGrant(store, id);
      return grants.length;
    },
    stats: () => stats.report(),
    resetStats: () => stats.reset(),
  };
}

/** The control surface over HTTP. It has no sign-in: it exists only when switched on, for tests. */
export function controlRoutes(app: FastifyInstance, control: Control): void {
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const status = error instanceof z.ZodError ? 422 : (error.statusCode ?? 500);
    const message = error instanceof z.ZodError ? z.prettifyError(error) : error.message;
    return reply.code(status).send({ error: { code: 'control_failed', message } });
  });
  app.post('/control/faults', async ({ body }) => {
    control.setFaults(faultOrder.parse(body));
    return { ok: true };
  });
  app.delete('/control/faults', async () => {
    control.clearFaults();
    return { ok: true };
  });
  app.post('/control/expire-access-tokens', async ({ body }) => ({
    expired: control.expireAccessTokens(selection.parse(body ?? {})),
  }));
  app.post('/control/revoke-grants', async ({ body }) => ({
    revoked: control.revokeGrants(selection.parse(body ?? {})),
  }));
  app.get('/control/stats', async () => control.stats());
  app.delete('/control/stats', async () => {
    control.resetStats();
    return { ok: true };
  });
}
