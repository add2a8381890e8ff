import { randomBytes } from 'node:crypto';
import { connectors } from '@inlay/connectors';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import { systemClock } from '#domain/clock';
import { compileSettings, render } from '#domain/template';
import type { NodeServices } from '#engine/node-services';
import type { NodeContext, NodeOutcome, NodeType } from '#engine/nodes/node-type';
import { problemText } from '#engine/run/node-failure';
import { productServices } from '#engine/product-services';
import { createFileStore, type FileStore, readAll } from '#files/index';
import { createHumanTasks } from '#human-tasks/index';
import { createMail, type Mail } from '#mail/index';
import { createOutbound } from '#outbound/index';
import type { Sandbox } from '#sandbox/index';
import { createVault } from '#vault/index';

/** A place to run one node type with the product's own services on a real database. */
export interface NodeBench {
  readonly database: TestDatabase;
  readonly files: FileStore;
  readonly mail: Mail;
  readonly context: NodeContext;
  /** Fills in, checks and runs settings as a run does; the text of what is wrong with them comes as a failure. */
  run(type: NodeType, settings: object, values?: object): Promise<NodeOutcome>;
  /** The body of an outcome that must be `done`. */
  body(type: NodeType, settings: object, values?: object): Promise<Record<string, unknown>>;
  /** The text of an outcome that must be `failed`, or of what was thrown. */
  failure(type: NodeType, settings: object, values?: object): Promise<string>;
  /** Stores a file of the account and returns its link. */
  store(name: string, content: string | Buffer, contentType?: string): Promise<string>;
  /** The content behind a link or id. */
  content(idOrUrl: string): Promise<Buffer>;
  close(): Promise<void>;
}

/** @param allow - private addresses that nodes may call; this machine by default
 * @param chromium - path of a browser, where a test needs one */
export async function createNodeBench(
  allow: readonly string[] = ['127.0.0.1'],
  chromium?: string,
): Promise<NodeBench> {
  const database = await createTestDatabase();
  const { pool, db } = database;
  const ring = {
    keys: [{ id: '00'.repeat(8), key: randomBytes(32) }],
    derivationKey: randomBytes(32),
  } as const;
  const vault = createVault({ keys: [...ring.keys], derivationKey: ring.derivationKey });
  const outbound = createOutbound({ allow, clock: systemClock });
  const config = {
    publicUrl: 'https://inlay.example',
    fileLimitBytes: 300 * 1024 * 1024,
    fileQuotaBytes: 0,
    mail: undefined,
    chromium,
  };
  const files = createFileStore({ pool, clock: systemClock, vault, config });
  const mail = createMail({ pool, vault, outbound, config });
  const tenant = { orgId: 'c'.repeat(24), environment: 'test' } as const;
  const parts = { db, pool, clock: systemClock, vault, outbound, connectors, files, mail, config };
  const humanTasks = createHumanTasks(parts);
  await db
    .insertInto('organization')
    .values({
      id: tenant.orgId,
      name: 'Bench',
      slug: 'bench',
      logo: null,
      website: null,
      email: null,
      metadata: null,
    })
    .execute();
  const outside = productServices({
    ...parts,
    humanTasks,
    sandbox: {} as Sandbox, // no node here runs code
  } as unknown as Parameters<typeof productServices>[0]);
  const services: NodeServices = {
    ...outside,
    subFlows: {} as NodeServices['subFlows'],
    recovery: {} as NodeServices['recovery'],
  };
  const context = {
    tenant,
    linkedAccount: { id: 'l'.repeat(24), accountId: 'account' },
    configId: 'account',
    appSlug: undefined,
    executionId: 'e'.repeat(24),
    nodeId: '2',
    attempt: 1,
    batch: '',
    firstBatch: '',
    idempotencyKey: `${'e'.repeat(24)}:2:`,
    now: new Date('2026-03-01T12:00:00Z'),
    begunAt: new Date('2026-03-01T12:00:00Z'),
    signal: new AbortController().signal,
    log: () => undefined,
    variables: { read: () => ({}), set: () => undefined },
    page: (_index: number, read: () => Promise<unknown>) => read(),
    trace: undefined,
    caught: undefined,
    mask: (value: unknown) => ({ shown: value, trueParts: [], words: [] }),
    learnSecret: () => undefined,
    services,
  } as unknown as NodeContext;
  let runs = 0;

  async function run(type: NodeType, given: object, values: object = {}): Promise<NodeOutcome> {
    const scope = { values: { event: values }, node: () => undefined };
    const compiled = compileSettings(given as Record<string, unknown>, type.markup);
    const checked = type.settings.safeParse(render(compiled, scope));
    if (!checked.success) {
      return { kind: 'failed', failure: { message: problemText(checked.error.issues), retry: 'never' } };
    }
    runs += 1; // every run is another node, else files would take each other's place
    return type.run(checked.data, { ...context, idempotencyKey: `${context.idempotencyKey}${runs}` });
  }

  return {
    database,
    files,
    mail,
    context,
    run,
    async body(type, settings, values) {
      const outcome = await run(type, settings, values);
      if (outcome.kind === 'done') return outcome.body as Record<string, unknown>;
      throw new Error(`The node did not succeed: ${JSON.stringify(outcome)}`);
    },
    async failure(type, settings, values) {
      try {
        const outcome = await run(type, settings, values);
        if (outcome.kind === 'failed') return outcome.failure.message;
        throw new TypeError(`The node did not fail: ${JSON.stringify(outcome).slice(0, 500)}`);
      } catch (error) {
        if (error instanceof TypeError || !(error instanceof Error)) throw error;
        return error.message;
      }
    },
    async store(name, content, contentType = 'application/octet-stream') {
      async function* bytes(): AsyncGenerator<Buffer> {
        yield Buffer.from(content);
      }
      const file = { name, contentType, linkedAccountId: context.linkedAccount.id };
      return (await files.write(tenant, file, bytes())).url;
    },
    async content(idOrUrl) {
      return readAll((await files.read(tenant, idOrUrl)).bytes());
    },
    async close() {
      await outbound.close();
      await database.drop();
    },
  };
}
