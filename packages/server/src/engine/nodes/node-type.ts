import type { z } from 'zod';
import type { ExecutionMode } from '#db/schema';
import type { NodeServices } from '#engine/node-services';
import type { Tenant } from '#domain/tenant';
import type { Masked, ValuePath } from '#domain/masking/index';
import type { FailedNode } from '#engine/recovery';
import type { NodeResult } from '#engine/run/run-scope';
import type { RunVariables } from '#engine/recording/run-variables';

/**
 * What running a node does to the world, which decides how it may be repeated:
 * - `none` pure computation; its outcome is written without waiting;
 * - `read` asks the outside, changes nothing there;
 * - `repeatable` changes the outside, and doing it twice with the same idempotency key is harmless;
 * - `once` must never be sent again when nobody knows whether it arrived.
 */
export type NodeEffect = 'none' | 'read' | 'repeatable' | 'once';

/** One input of a node as the builder draws it; `settings` is what checks the value. */
export interface NodeField {
  readonly type:
    | 'text'
    | 'textarea'
    | 'number'
    | 'boolean'
    | 'select'
    | 'json'
    | 'map'
    | 'code'
    | 'conditions'
    | 'app'
    | 'action'
    | 'action_parameters'
    | 'function'
    | 'function_inputs';
  readonly label: string;
  readonly help?: string;
  readonly required?: boolean;
  readonly placeholder?: string;
  readonly default?: unknown;
  readonly options?: readonly { readonly name: string; readonly value: string }[];
}

/** What a run gives to a node. */
export interface NodeContext {
  readonly tenant: Tenant;
  readonly linkedAccount: { readonly id: string; readonly accountId: string };
  readonly configId: string;
  /** App of the workflow, when it belongs to one. */
  readonly appSlug: string | undefined;
  readonly executionId: string;
  readonly nodeId: string;
  /** Path of the iterations around the node, such as `5:12/9:0`; '' outside of loops and try blocks. */
  readonly batch: string;
  /** The same path with the first repetition of each try block in it: the same work has the same. */
  readonly firstBatch: string;
  /** A sync call has somebody waiting at the other end. */
  readonly mode: ExecutionMode;
  /** Counts from 1. */
  readonly attempt: number;
  /** Stays the same over attempts, take-overs and restarts; sent to providers that accept one. */
  readonly idempotencyKey: string;
  readonly now: Date;
  /** When the node began: the same for every attempt of it, whoever makes it. */
  readonly begunAt: Date;
  /** Aborted when the execution is stopped, times out or its worker loses its lease. */
  readonly signal: AbortSignal;
  readonly services: NodeServices;
  /** Results of the nodes that led here, in the order of the drawing. */
  predecessors(): readonly NodeResult[];
  /** Adds a line to the node's console in the execution log; `curl` is a request that can be repeated by hand. */
  log(level: 'debug' | 'info' | 'warn' | 'error' | 'curl', text: string): void;
  /** What custom code keeps by name over all nodes of the run. */
  readonly variables: RunVariables;
  /**
   * One page of an answer that comes in several. A page that was read once is in the journal: it is not read again,
   * whatever fails or dies after it. Pages count from 0.
   */
  page<T>(index: number, read: () => Promise<T>): Promise<T>;
  /** On a catch branch: what was caught, and the payload of the execution. */
  readonly caught: (FailedNode & { readonly input: unknown }) | undefined;
  /** The value as people may see it, without the secrets that the run knows, and what was taken out. */
  readonly mask: (value: unknown) => Masked;
  /** From here on the run shows nobody this text, or any text in this value. */
  readonly learnSecret: (value: unknown) => void;
  /** Keeps a request as a cURL command, where the author asked for it. */
  readonly trace: ((command: string) => void) | undefined;
}

/** Why a node did not do its work. The text goes to the log of the SaaS company: no secrets in it. */
export interface NodeFailure {
  readonly message: string;
  /** HTTP-like status of the failure: what the provider answered, or 0 when nothing came back. */
  readonly status?: number;
  /** What the provider said, for the log. */
  readonly body?: unknown;
  /**
   * `safe`: it certainly did not happen, try again; `unknown`: it may have happened; `never`: trying again is pointless.
   */
  readonly retry: 'safe' | 'unknown' | 'never';
  /** From `Retry-After`. */
  readonly retryAfterMs?: number;
}

export type NodeOutcome =
  | {
      readonly kind: 'done';
      readonly body: unknown;
      readonly port: string;
      readonly status?: number;
      /** Parts of the body that are secrets, whatever the author says: they go on, and nobody sees them. */
      readonly encrypted?: readonly ValuePath[];
    }
  | { readonly kind: 'respond'; readonly body: unknown; readonly statusCode: number }
  | { readonly kind: 'failed'; readonly failure: NodeFailure }
  | ({ readonly kind: 'terminated' } & Termination)
  | { readonly kind: 'suspended'; readonly wait: WaitRequest };

/** More than the node itself comes to its end. */
export interface Termination {
  /** An iteration or loop that is not there means the execution. */
  readonly scope: 'execution' | 'iteration' | 'loop';
  readonly result: 'terminated' | 'error' | 'success';
  readonly body: { readonly message: string; readonly statusCode: number; readonly action: string };
}

export type FinishedOutcome = Exclude<NodeOutcome, { kind: 'suspended' }>;

/**
 * What a suspended node waits for. The execution leaves memory meanwhile; whatever comes first of these brings it
 * back, once, and `resume` of the node type goes on.
 */
export interface WaitRequest {
  readonly reason: 'delay' | 'webhook' | 'human_task' | 'sub_flow';
  /** Wakes by itself then; after 30 days at the latest. */
  readonly dueAt?: Date | undefined;
  /** Unguessable; stored hashed. Presenting it wakes. */
  readonly token?: string | undefined;
  /** The end of this execution wakes. */
  readonly childExecutionId?: string | undefined;
  /** JSON that `resume` is given back. */
  readonly state?: unknown;
}

/** Why a suspended node goes on. */
export interface Woken {
  readonly by: 'due' | 'token' | 'child';
  readonly state: unknown;
  /** What came with the token. */
  readonly payload: unknown;
  /** When it was suspended. */
  readonly since: Date;
}

/** The port that a node leaves by when it does not choose. */
export const defaultPort = 'next';

/** The node did its work: `body` is what templates read, `port` the edge to follow. */
export function done(body: unknown, port: string = defaultPort, status?: number): NodeOutcome {
  return { kind: 'done', body, port, ...(status === undefined ? {} : { status }) };
}

/** The node fixes what the caller of the execution gets. The first answer of an execution stands. */
export function respond(body: unknown, statusCode: number): NodeOutcome {
  return { kind: 'respond', body, statusCode };
}

/** An expected failure. Anything thrown that is not an `AppError` counts as a bug of ours. */
export function failed(failure: NodeFailure): FinishedOutcome {
  return { kind: 'failed', failure };
}

/** The node goes on when something happens that it names; until then nothing of the execution is in memory. */
export function suspended(wait: WaitRequest): NodeOutcome {
  return { kind: 'suspended', wait };
}

/** What a node may look at before it runs. */
export type SettingsContext = Pick<NodeContext, 'tenant' | 'linkedAccount' | 'executionId' | 'services'>;

/** Declared as a method so that a `NodeType<X>` can stand in the registry as a `NodeType`. */
type EffectOf<Settings> = {
  decide(
    settings: Settings,
    context: {
      services: NodeServices;
      tenant: Tenant;
      idempotencyKey: string;
      appSlug: string | undefined;
    },
  ): NodeEffect | Promise<NodeEffect>;
}['decide'];

export interface NodeType<Settings = unknown> {
  /** `node_type` on the wire. */
  readonly type: string;
  readonly label: string;
  readonly group: 'trigger' | 'app' | 'logic' | 'data' | 'code' | 'control';
  readonly help: string;
  /** What `docs/nodes.md` says and no schema knows; Markdown. */
  readonly reference?: {
    /** Shape of the body. */
    readonly output: string;
    /** What it fails with. */
    readonly errors: string;
    /** Which effect it has when, where settings decide. */
    readonly effect?: string;
  };
  /** Fixed, or decided by the settings, such as an HTTP method. */
  readonly effect: NodeEffect | EffectOf<Settings>;
  /** Form of the builder, in order. */
  readonly fields: Readonly<Record<string, NodeField>>;
  /** Checks and completes the templated settings; a problem fails the node and names the field. */
  readonly settings: z.ZodType<Settings>;
  /** Settings that are taken as written, never templated: source code and queries. */
  readonly literal?: readonly string[];
  /** Settings that are HTML: values are escaped, and `{{#each}}` and `{{#if}}` are understood. */
  readonly markup?: readonly string[];
  /** A template that finds nothing leaves its field out, instead of empty text. */
  readonly omitsMissing?: boolean;
  /** What of the settings goes to the log, when some of it should not. */
  readonly logged?: { show(settings: Settings): unknown }['show'];
  /** Parts of the settings that are secrets by what stands elsewhere, asked before the settings go to the log. */
  readonly secretSettings?: {
    find(settings: Settings, ctx: SettingsContext): Promise<readonly ValuePath[]>;
  }['find'];
  /** Names of the edges that may leave the node, from its raw settings. */
  readonly ports: (settings: Readonly<Record<string, unknown>>) => readonly string[];
  /** Reads by `ctx.page`. */
  readonly hasPages?: boolean;
  /**
   * Makes it a container: the ports whose edges lead to the nodes inside. The engine walks those; `run` is not called.
   */
  readonly container?: readonly string[];
  /** Settings of a container that are templated inside, for each iteration, not when it begins. */
  readonly inside?: readonly string[];
  /** Ports by which the settings themselves, whatever its edge says, lead to a node. */
  readonly portsTo?: (settings: Readonly<Record<string, unknown>>, target: string) => readonly string[];
  /** What is wrong with where the node stands; `around` are the types of the containers, innermost first. */
  readonly placeProblem?: (
    settings: Readonly<Record<string, unknown>>,
    around: readonly string[],
  ) => string | undefined;
  /** Waits for all its live predecessors instead of the first. */
  readonly joins?: boolean;
  run(settings: Settings, ctx: NodeContext): NodeOutcome | Promise<NodeOutcome>;
  /** Goes on after `run` (or `resume`) answered `suspended`; in the same attempt, perhaps in another process. */
  resume?(settings: Settings, ctx: NodeContext, woken: Woken): NodeOutcome | Promise<NodeOutcome>;
}

/**
 * Declares a node type: a function of (settings already templated, context) to an outcome.
 * It never sleeps, stores or calls the queue; the engine owns durability, retries and time limits.
 */
export function nodeType<Settings>(
  definition: Omit<NodeType<Settings>, 'ports'> & { ports?: NodeType<Settings>['ports'] },
): NodeType<Settings> {
  return { ports: () => [defaultPort], ...definition };
}
