import { connectors } from '@inlay/connectors';
import { pino } from 'pino';
import { makeDefaultConfig } from '#configs/index';
import { newId } from '#domain/ids';
import { systemClock } from '#domain/clock';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { builtInNodes, createEngine, productServices, type Engine } from '#engine/index';
import { createFileStore } from '#files/index';
import { createHumanTasks } from '#human-tasks/index';
import { createMail } from '#mail/index';
import { createOrganization } from '#organizations/index';
import { createOutbound } from '#outbound/index';
import { createSandbox } from '#sandbox/index';
import { testVault } from '#vault/testing';
import type { ApiApp } from '#api/app';
import type { ApiConfig, ApiDeps } from '#api/deps';
import { buildApi } from '#api/server';

/** One SaaS company with both keys, for tests that call routes. */
export interface TestOrganization {
  readonly orgId: string;
  readonly keys: { readonly test: string; readonly production: string };
  readonly tenant: Tenant;
}

export interface TestApi {
  readonly app: ApiApp;
  readonly deps: ApiDeps;
  readonly database: TestDatabase;
  readonly org: TestOrganization;
  addOrganization(name: string): Promise<TestOrganization>;
  /** A linked account of the first organisation's test environment, written straight to the table. */
  addLinkedAccount(accountId: string, tenant?: Tenant): Promise<LinkedAccountRef>;
  close(): Promise<void>;
}

const testConfig: ApiConfig = {
  publicUrl: 'http://localhost:3000',
  version: '0.0.0-test',
  appCredentials: {},
  allowedOrigins: ['*'],
  sessionTokenHours: 24,
  signUp: 'open',
  frameAncestors: [],
  trustProxy: [],
  syncTimeoutMs: 10_000,
  rateLimitPerMinute: 0,
  accountRateLimitPerMinute: 0,
  webhookRateLimitPerMinute: 0,
  logRetention: { defaultDays: 30, maximumDays: 365 },
};

/** The whole HTTP server on a fresh real database; call `close` in `after`. `overrides` replaces dependencies. */
export async function createTestApi(
  overrides: Partial<Omit<ApiDeps, 'config' | 'engine'>> & {
    config?: Partial<ApiConfig>;
    engine?: Partial<Engine>;
  } = {},
): Promise<TestApi> {
  const database = await createTestDatabase();
  const outbound = createOutbound({ allow: ['127.0.0.1', '::1'], clock: systemClock });
  const sandbox = createSandbox({ processes: 1, outbound, log: pino({ level: 'error' }) });
  const vault = testVault();
  const config = { ...testConfig, ...overrides.config };
  const fileLimits = { fileLimitBytes: 300 * 1024 * 1024, fileQuotaBytes: 0 };
  const mail = createMail({
    pool: database.pool,
    vault: overrides.vault ?? vault,
    outbound,
    config: { mail: undefined },
  });
  const parts: Omit<ApiDeps, 'engine'> = {
    db: database.db,
    pool: database.pool,
    clock: systemClock,
    log: pino({ level: 'error' }),
    connectors,
    nodeTypes: builtInNodes,
    onConnected: makeDefaultConfig,
    vault,
    outbound,
    sandbox,
    files: createFileStore({
      pool: database.pool,
      clock: overrides.clock ?? systemClock,
      vault: overrides.vault ?? vault,
      config: { ...config, ...fileLimits },
    }),
    mail,
    humanTasks: createHumanTasks({
      pool: database.pool,
      clock: overrides.clock ?? systemClock,
      vault: overrides.vault ?? vault,
      mail: overrides.mail ?? mail,
      config,
    }),
    ...overrides,
    config,
  };
  const engine = await createEngine(
    {
      ...parts,
      services: productServices({ ...parts, config: { ...config, chromium: undefined }, sandbox }),
    },
    { databaseUrl: database.url, concurrency: 50 },
  );
  engine.start();
  const deps: ApiDeps = { ...parts, engine: { ...engine, ...overrides.engine } };

  async function addOrganization(name: string): Promise<TestOrganization> {
    const { orgId, keys } = await createOrganization(deps, { name });
    return { orgId, keys, tenant: { orgId, environment: 'test' } };
  }

  const org = await addOrganization('Test Company');
  const app = await buildApi(deps);
  return {
    app,
    deps,
    database,
    org,
    addOrganization,
    async addLinkedAccount(accountId, tenant = org.tenant) {
      const id = newId();
      await database.db
        .insertInto('linked_account')
        .values({
          id,
          org_id: tenant.orgId,
          environment: tenant.environment,
          account_id: accountId,
          name: null,
        })
        .execute();
      return { id, accountId, name: null };
    },
    async close() {
      await app.close();
      await engine.drain(2_000);
      await sandbox.close();
      await deps.outbound.close();
      await database.drop();
    },
  };
}
