import assert from 'node:assert/strict';
import type { Pool } from 'pg';
import { pino, type Logger } from 'pino';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '#db/testing';
import type { Clock } from '#domain/clock';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import { createEngine, type Engine, type EngineOptions } from '#engine/engine';
import type { OutsideServices } from '#engine/node-services';
import type { NodeRegistry } from '#engine/nodes/index';
import { done, nodeType, type NodeContext, type NodeOutcome, type NodeType } from '#engine/nodes/node-type';
import type { ExecutionDetail } from '#engine/read/read-executions';
import type { StartInput } from '#engine/start/start-input';
import type { Vault } from '#vault/index';
import { testVault } from '#vault/testing';

/** A clock that a test moves. It starts at the real time and goes on with it. */
export interface TestClock extends Clock {
  advance(ms: number): void;
}

export function testClock(): TestClock {
  let aheadMs = 0;
  return { now: () => new Date(Date.now() + aheadMs), advance: (ms) => void (aheadMs += ms) };
}

/** `more` stands beside the settings: `parent_id`, `skip_on_error`, `retry_policy`. */
export type TestNode = readonly [
  id: string,
  type: string,
  data?: Readonly<Record<string, unknown>>,
  more?: Readonly<Record<string, unknown>>,
];
export type TestEdge = readonly [source: string, target: string, port?: string];

/** A real engine on a database of its own, for tests of what runs in it. */
export interface TestEngine {
  readonly database: TestDatabase;
  readonly engine: Engine;
  readonly clock: TestClock;
  readonly vault: Vault;
  readonly tenant: { readonly orgId: string; readonly environment: 'test' };
  readonly linkedAccount: { readonly id: string; readonly accountId: string };
  /** Another process with the same database, as far as the engine can tell. */
  another(options?: Partial<EngineOptions>): Promise<Engine>;
  /** Publishes a workflow and answers its id. */
  publish(
    nodes: readonly TestNode[],
    edges: readonly TestEdge[],
    more?: {
      readonly id?: string;
      readonly slug?: string;
      /** Settings of the start node. */
      readonly start?: Readonly<Record<string, unknown>>;
      readonly [field: string]: unknown;
    },
  ): Promise<string>;
  inputFor(workflowId: string, payload?: unknown): StartInput;
  start(workflowId: string, payload?: unknown): Promise<string>;
  state(executionId: string): Promise<string>;
  /** Waits until an execution is in a state. */
  reached(executionId: string, state: string): Promise<void>;
  ended(executionId: string): Promise<ExecutionDetail>;
  close(): Promise<void>;
}

export async function openTestEngine(options: {
  readonly registry: NodeRegistry;
  readonly services?: Partial<OutsideServices>;
  readonly concurrency?: number;
  /** The first engine runs nothing: the test opens others for that. */
  readonly isIdle?: boolean;
  /** Silent without one. */
  readonly log?: Logger;
}): Promise<TestEngine> {
  const database = await createTestDatabase();
  const { pool, db } = database;
  const clock = testClock();
  const tenant = { orgId: newId(), environment: 'test' as const };
  const linkedAccount = { id: newId(), accountId: 'ann' };
  await pool.query(`insert into organization (id, name, slug) values ($1, 'T', $1)`, [tenant.orgId]);
  await pool.query(
    `insert into linked_account (id, org_id, environment, account_id) values ($1, $2, 'test', 'ann')`,
    [linkedAccount.id, tenant.orgId],
  );
  const vault = testVault();
  const log = options.log ?? pino({ level: 'silent' });
  const open = (more: Partial<EngineOptions> = {}): Promise<Engine> =>
    createEngine(
      {
        pool,
        db,
        clock,
        log,
        vault,
        services: { records: { db, vault }, ...options.services } as OutsideServices,
      },
      {
        databaseUrl: database.url,
        concurrency: options.concurrency ?? 20,
        registry: options.registry,
        ...more,
      },
    );
  const engine = await open();
  const others: Engine[] = [];
  if (options.isIdle !== true) engine.start();

  async function publish(
    nodes: readonly TestNode[],
    edges: readonly TestEdge[],
    {
      id = newId(),
      slug,
      start = {},
      ...document
    }: {
      id?: string;
      slug?: string;
      start?: Readonly<Record<string, unknown>>;
      [field: string]: unknown;
    } = {},
  ): Promise<string> {
    const whole = {
      nodes: [['1', 'start', start] as TestNode, ...nodes].map(
        ([nodeId, node_type, data = {}, more = {}]) => ({
          id: nodeId,
          node_type,
          name: `Node ${nodeId}`,
          data,
          ...more,
        }),
      ),
      edges: edges.map(([source, target, source_handle]) => ({ source, target, source_handle })),
      ...document,
    };
    await pool.query(
      `insert into workflow (id, draft_id, org_id, environment, name, app_slug, draft, published_version)
       values ($1, $1 || '-draft', $2, 'test', $1, $3, '{}', 1)`,
      [id, tenant.orgId, slug ?? null],
    );
    await pool.query(
      `insert into workflow_version (id, org_id, environment, workflow_id, version, document)
       values ($1, $2, 'test', $1, 1, $3)`,
      [id, tenant.orgId, JSON.stringify(whole)],
    );
    return id;
  }

  const inputFor = (workflowId: string, payload: unknown = {}): StartInput => ({
    workflowId,
    version: 1,
    linkedAccount,
    configId: 'ann',
    source: 'api_call',
    payload,
  });

  async function until(what: () => Promise<boolean>, say: () => Promise<string>): Promise<void> {
    // Only says which state it is stuck in: a busy machine may take long.
    const deadline = Date.now() + 60_000;
    while (!(await what())) {
      assert.ok(Date.now() < deadline, await say());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  const state = async (executionId: string): Promise<string> =>
    (await engine.read(tenant, executionId)).header.state;

  return {
    database,
    engine,
    clock,
    vault,
    tenant,
    linkedAccount,
    async another(more) {
      const other = await open(more);
      others.push(other);
      other.start();
      return other;
    },
    publish,
    inputFor,
    start: async (workflowId, payload) =>
      (await engine.startExecution(tenant, inputFor(workflowId, payload))).executionId,
    state,
    async reached(executionId, wanted) {
      const is = (): Promise<string> => state(executionId);
      await until(
        async () => (await is()) === wanted,
        async () => `it is ${await is()}, not ${wanted}`,
      );
    },
    ended: (executionId) => endOf(engine, tenant, executionId),
    async close() {
      await Promise.all([engine, ...others].map((each) => each.drain(2_000)));
      await database.drop();
    },
  };
}

/** What a scripted node does. */
export type Act = (ctx: NodeContext, value: unknown) => NodeOutcome | Promise<NodeOutcome>;

const actSettings = z.looseObject({
  name: z.string().default(''),
  value: z.unknown().optional(),
  effect: z.enum(['none', 'read', 'repeatable', 'once']).default('repeatable'),
});

/**
 * A node type `act` that does what a test says under the name in its settings; without a word of the test it hands
 * on its `value`.
 */
export function scriptedNode(more: Partial<NodeType<z.output<typeof actSettings>>> = {}): {
  readonly act: NodeType<z.output<typeof actSettings>>;
  readonly acts: Map<string, Act>;
} {
  const acts = new Map<string, Act>();
  const act = nodeType({
    type: 'act',
    label: 'Act',
    group: 'app',
    help: 'Does what the test says.',
    effect: ({ effect }) => effect,
    fields: {},
    settings: actSettings,
    run: ({ name, value }, ctx) => (acts.get(name) ?? (() => done(value)))(ctx, value),
    ...more,
  });
  return { act, acts };
}

/** An execution when it has ended. The time says only which state it is stuck in: a busy machine may take long. */
export async function endOf(
  engine: Engine,
  tenant: Tenant,
  executionId: string,
  timeoutMs = 60_000,
): Promise<ExecutionDetail> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const detail = await engine.read(tenant, executionId);
    if (detail.header.finishedAt !== null) return detail;
    assert.ok(Date.now() < deadline, `still ${detail.header.state}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits until nothing is left of what an ended execution waited for: that is cleared away behind its end. */
export async function assertNoWaitLeft(pool: Pool, executionId: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { rowCount } = await pool.query('select from wait where execution_id = $1', [executionId]);
    if (rowCount === 0) return;
    assert.ok(Date.now() < deadline, `${rowCount} waits are left`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Publishes the document that a test would start: a test run of a draft makes one attempt and knows no limits. */
export async function published(
  pool: Pool,
  tenant: Tenant,
  { document, ...input }: StartInput,
): Promise<StartInput> {
  await pool.query(
    `with w as (insert into workflow (id, draft_id, org_id, environment, name, draft, published_version)
       values ($1, $1 || '-draft', $2, $3, $1, '{}', 1) returning id)
     insert into workflow_version (id, org_id, environment, workflow_id, version, document)
     select $1, $2, $3, id, 1, $4 from w`,
    [input.workflowId, tenant.orgId, tenant.environment, JSON.stringify(document)],
  );
  return { ...input, version: 1 };
}
