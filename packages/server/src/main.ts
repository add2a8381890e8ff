import { readFileSync } from 'node:fs';
import path from 'node:path';
import { connectors } from '@inlay/connectors';
import type { Logger } from 'pino';
import { buildApi } from '#api/server';
import { acmeClientSecret, startAcmeCrm, type AcmeCrm } from '#boot/acme-crm';
import { openDatabase, type OpenDatabase } from '#boot/database';
import { ensureFirstOrganization, openDemo, type FirstOrganization } from '#boot/first-run';
import { claimDataFolder, type RunState } from '#boot/instance';
import { createLogger } from '#boot/logger';
import { assertPortFree, explainListenError } from '#boot/port';
import type { Config } from '#config';
import { makeDefaultConfig } from '#configs/index';
import { migrate } from '#db/migrate';
import { createDb, createPool } from '#db/pool';
import { systemClock } from '#domain/clock';
import { createEngine, productServices } from '#engine/index';
import { createFileStore, startFileExpiry } from '#files/index';
import { createHumanTasks } from '#human-tasks/index';
import { createMail } from '#mail/index';
import { createOutbound, postgresBudgetStore } from '#outbound/index';
import { createSandbox } from '#sandbox/index';
import { startSubscriptions } from '#ingress/index';
import { startTriggerLoop } from '#triggers/index';
import { assertOpensStored, openVault } from '#vault/index';
import { startAlerts } from '#webhooks/index';

/** A running Inlay. */
export interface Inlay {
  readonly state: RunState;
  /** Finishes what is under way, then ends everything that was started. */
  stop(): Promise<void>;
}

export const version = readVersion();

/** What runs may take to end before they go back to the queue; the whole stop takes at most 10 s. */
const drainMs = 6_000;

/**
 * The composition root: builds every part from the settings, in the order in which they need each other, and
 * listens. What was opened is closed again in the reverse order, also when a later step fails.
 */
export async function startInlay(config: Config, log: Logger = createLogger(config)): Promise<Inlay> {
  const opened = new AsyncDisposableStack();
  try {
    const state = await open(config, log, opened);
    return { state, stop: () => opened.disposeAsync() };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

async function open(config: Config, log: Logger, opened: AsyncDisposableStack): Promise<RunState> {
  const hasApi = config.role !== 'worker';
  const hasDemo = hasApi && config.demo;
  const instance = await claimDataFolder(config.dataDir, !hasApi);
  opened.defer(() => instance.release());
  if (hasApi) await assertPortFree(config.host, config.port, 'INLAY_PORT');
  if (hasDemo) await assertPortFree('localhost', config.acmePort, 'INLAY_ACME_PORT');

  const [vault, database] = await Promise.all([openVault(config), openDatabaseFor(config, log)]);
  opened.defer(() => database.close());
  const pool = createPool({
    url: database.url,
    max: config.databasePoolSize,
    onIdleError: (error) => log.warn({ err: error }, 'an idle database connection broke'),
  });
  opened.defer(() => pool.end());
  await migrate(pool);
  await assertOpensStored({ pool, vault });

  const outbound = createOutbound({
    allow: config.egressAllow,
    clock: systemClock,
    budgets: postgresBudgetStore(pool),
    onCall: (call) => log.debug({ call }, 'outbound call'),
    userAgent: `Inlay/${version}`,
  });
  opened.defer(() => outbound.close());

  const sandbox = createSandbox({
    processes: config.sandboxProcesses,
    codeTimeoutMs: config.codeTimeoutMs,
    outbound,
    log,
  });
  opened.defer(() => sandbox.close());

  const files = createFileStore({ pool, clock: systemClock, vault, config });
  const expiry = startFileExpiry({ pool, clock: systemClock, log });
  opened.defer(() => expiry.stop());

  const mail = createMail({ pool, vault, outbound, config });
  const foundation = {
    config: { ...config, version },
    db: createDb(pool),
    pool,
    clock: systemClock,
    log,
    vault,
    outbound,
    connectors,
    sandbox,
    files,
    mail,
    humanTasks: createHumanTasks({ pool, clock: systemClock, vault, mail, config }),
    onConnected: makeDefaultConfig,
  };
  // Acme CRM starts beside the engine; what comes of it is looked at below.
  const demoStart = hasDemo ? startDemo(config, log, vault) : undefined;
  opened.defer(async () => {
    const [outcome] = await Promise.allSettled([demoStart]);
    if (outcome.status === 'fulfilled') await outcome.value?.stop();
  });
  const engine = await createEngine(
    { ...foundation, services: productServices(foundation) },
    {
      databaseUrl: database.url,
      role: config.role,
      publicUrl: config.publicUrl,
      concurrency: config.workerConcurrency,
      queueMaxAgeHours: config.queueMaxAgeHours,
      retention: config.logRetention,
      batchLimit: config.batchLimit,
    },
  );
  const deps = { ...foundation, engine, nodeTypes: engine.registry };
  const api = hasApi ? await buildApi(deps) : undefined;
  opened.defer(async () => {
    const closing = api?.close(); // takes no new request
    await engine.drain(drainMs);
    // Whoever still waits for an answer has waited for a run that goes on elsewhere.
    api?.server.closeAllConnections();
    await closing;
  });

  const acmeCrm = await demoStart;
  const first = hasApi ? await ensureFirstOrganization(deps) : undefined;
  const demo =
    first === undefined || acmeCrm === undefined
      ? undefined
      : await openDemo(deps, { orgId: first.orgId, acmeUrl: acmeCrm.url });

  await api?.listen({ host: config.host, port: config.port }).catch((error: NodeJS.ErrnoException) => {
    throw explainListenError(error, config.host, config.port, 'INLAY_PORT');
  });
  if (config.role !== 'api') {
    engine.start();
    const subscriptions = startSubscriptions(deps);
    opened.defer(() => subscriptions.stop());
    const triggers = startTriggerLoop(deps);
    opened.defer(() => triggers.close());
    const alerts = startAlerts(deps);
    opened.defer(() => alerts.close());
  }

  const state = describe(config, { database, acmeCrm, first, demo });
  await instance.publish(state);
  return state;
}

async function openDatabaseFor(config: Config, log: Logger): Promise<OpenDatabase> {
  const database = await openDatabase(config, () =>
    log.warn('the embedded PostgreSQL had ended and was started again'),
  );
  if (database.bypassesRowSecurity) {
    log.warn(
      'the role of DATABASE_URL is a superuser, so row-level security does not bind it; give Inlay a role of its own',
    );
  }
  return database;
}

async function startDemo(
  config: Config,
  log: Logger,
  vault: Awaited<ReturnType<typeof openVault>>,
): Promise<AcmeCrm> {
  return startAcmeCrm({
    port: config.acmePort,
    dataDir: path.join(config.dataDir, 'acme-crm'),
    clientSecret: acmeClientSecret(vault),
    redirectUri: `${config.publicUrl}/api/v1/acme-crm/callback`,
    log,
  });
}

interface Facts {
  readonly database: OpenDatabase;
  readonly acmeCrm: AcmeCrm | undefined;
  readonly first: FirstOrganization | undefined;
  readonly demo: RunState['demo'] | undefined;
}

function describe(config: Config, { database, acmeCrm, first, demo }: Facts): RunState {
  return {
    pid: process.pid,
    version,
    role: config.role,
    startedAt: systemClock.now().toISOString(),
    listening: `http://${localAddress(config.host)}:${config.port}`,
    api: config.publicUrl,
    dashboard: config.publicUrl,
    portal: `${config.publicUrl}/connect`,
    reference: `${config.publicUrl}/reference`,
    acmeCrm: acmeCrm?.url ?? null,
    database: database.kind,
    databaseUrl: database.kind === 'embedded' ? database.url : null,
    owner: first?.owner ?? null,
    keys: first?.keys ?? null,
    demo: demo ?? null,
  };
}

/** The address under which this machine itself reaches us. */
function localAddress(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

function readVersion(): string {
  const manifest = readFileSync(path.resolve(import.meta.dirname, '../package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
