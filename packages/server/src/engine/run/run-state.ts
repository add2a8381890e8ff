import type { Logger } from 'pino';
import type { EndState } from '#db/journal-flush';
import type { ExecutionMode } from '#db/schema';
import type { StoredWait } from '#db/wait';
import type { Clock } from '#domain/clock';
import type { Tenant } from '#domain/tenant';
import type { TemplateScope } from '#domain/template';
import type { ContainerPasts } from '#engine/run/container-past';
import type { CrashHook } from '#engine/crash-points';
import type { NodeServices } from '#engine/node-services';
import type { NodeRegistry } from '#engine/nodes/index';
import type { NodeFailure } from '#engine/nodes/node-type';
import type { RunRecorder } from '#engine/recording/run-recorder';
import type { RowVault } from '#engine/recording/sealed-parts';
import type { HistoryEntry } from '#engine/run/run-history';
import type { NodeResult, RunFacts } from '#engine/run/run-scope';
import type { RunWaits } from '#engine/run/run-waits';
import type { ResumeLinks } from '#engine/wait/resume-links';
import type { Suspension } from '#engine/wait/suspension';
import type { Walk } from '#engine/plan/walk';
import { nodesOf, type Plan, type PlanNode } from '#engine/plan/workflow-plan';

export interface RunDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: NodeRegistry;
  readonly services: NodeServices;
  readonly crash?: CrashHook | undefined;
  readonly suspension: Suspension;
  readonly links: ResumeLinks;
  readonly vault: RowVault;
  /** What containers have behind them, read when a run comes to one that another worker had begun. */
  readonly pasts: ContainerPasts;
  /** Iterations that one execution may have, those of nested loops counted too. */
  readonly batchLimit: number;
}

export interface RunInput {
  readonly tenant: Tenant;
  readonly linkedAccountId: string;
  readonly appSlug: string | null;
  readonly mode: ExecutionMode;
  /** Another execution may wait for its end. */
  readonly isSubFlow: boolean;
  readonly isStopRequested: boolean;
  readonly facts: RunFacts;
  /** Secrets in what started it. */
  readonly secrets: readonly unknown[];
  readonly plan: Plan;
  /** A test of a draft. */
  readonly isTest: boolean;
  /** Rows after the first, which is the start node's; those inside containers are read when the run comes to them. */
  readonly history: readonly HistoryEntry[];
  /** Number of the last row of the execution, which may be inside a container. */
  readonly lastSeq: number;
  /** Nodes that wait or waited when the run was given to this worker. */
  readonly waits: readonly StoredWait[];
  /** Iterations that have ended already. */
  readonly batches: number;
  /** What a Response node inside a container has answered already. */
  readonly response: RunResponse | undefined;
  /** What Terminate nodes inside containers have done, by the path of the iteration that they ended; '': the run. */
  readonly terminations: ReadonlyMap<string, readonly HistoryEntry[]>;
}

export interface RunFailure {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly message: string;
  readonly status?: number;
  readonly body?: unknown;
}

export interface RunResponse {
  readonly nodeId: string;
  readonly body: unknown;
  readonly statusCode: number;
}

/** Why a whole run starts nothing any more. `left`: another worker or a later time continues it. */
export type RunHalt = EndState | 'left';

/** Why a frame starts nothing any more; without a failure it ends well. */
export interface FrameHalt {
  readonly failure?: RunFailure;
  /** Its loop is not to go on either. */
  readonly endsLoop?: boolean;
}

/** One graph being walked: the workflow's own, one iteration of a loop, one repetition of a try block, its catch. */
export interface Frame {
  readonly walk: Walk;
  /** Path of the iterations around and including this one; '' at the root. */
  readonly batch: string;
  /** The same for idempotency keys: all repetitions of a try block have the path of the first. */
  readonly keyPath: string;
  readonly kind: 'root' | 'loop' | 'try' | 'catch';
  /** The frame in which the container stands. */
  readonly within: Frame | undefined;
  readonly results: Map<string, NodeResult>;
  readonly scope: TemplateScope;
  /** Its own rows, as the journal had them when the run was loaded. */
  readonly history: readonly HistoryEntry[];
  halt: FrameHalt | undefined;
  /** Will be walked again when it fails, and takes up the sub-flows that it waited for. */
  readonly isRepeated?: boolean;
  /** Keeps the rows of pure nodes back until it is known whether anybody will want to read them. */
  readonly heldRows: (() => void)[] | undefined;
  /** Told after each node; a loop looks for a reason to break off. */
  readonly onNodeSettled?: (() => void) | undefined;
}

/** A node that finished, and the port it left by. */
export interface Left {
  readonly node: PlanNode;
  readonly port: string;
}

/** A node that holds other nodes, being run. */
export interface Container<Settings = unknown> {
  readonly run: RunState;
  readonly frame: Frame;
  readonly node: PlanNode;
  readonly settings: Settings;
  readonly attempt: { readonly number: number; readonly startedAt: Date };
  /** Another worker began it, or this one before the run left memory. */
  readonly isBegun: boolean;
}

/** What all frames of one run share. */
export interface RunState {
  readonly deps: RunDeps;
  readonly input: RunInput;
  readonly journal: RunRecorder;
  readonly waits: RunWaits;
  readonly abort: AbortController;
  /** Runs one node to its end. `undefined`: it has not finished, or its frame goes no further from here. */
  readonly step: (frame: Frame, node: PlanNode) => Promise<Left | undefined>;
  /** The run cannot be walked or recorded, at this node if it is known. */
  readonly onBroken: (error: unknown, node?: PlanNode) => void;
  halt: RunHalt | undefined;
  failure: RunFailure | undefined;
  response: RunResponse | undefined;
  /** Iterations begun so far, by any worker. */
  batches: number;
  /** Keeps the run in memory until the work is done; a node that waits for something to come does not. */
  readonly hold: <T>(work: Promise<T>) => Promise<T>;
}

/** Nothing new starts in the frame, for a reason of its own or of something around it. */
export function isHalted(run: RunState, frame: Frame | undefined): boolean {
  if (run.halt !== undefined) return true;
  for (let at = frame; at !== undefined; at = at.within) if (at.halt !== undefined) return true;
  return false;
}

/** Lets a frame start nothing any more and end when what is under way has ended; what waits in it waits no longer. */
export function haltFrame(run: RunState, frame: Frame, halt: FrameHalt): void {
  if (isHalted(run, frame)) return;
  frame.halt = halt;
  run.waits.drop(
    frame.batch,
    new Set(Array.from(nodesOf(frame.walk.graph), ({ id }) => id)),
    frame.isRepeated,
  );
}

/** The same for the whole run. What was decided first stands, but for `left`: then nothing is ours to decide. */
export function haltRun(run: RunState, halt: RunHalt, failure?: RunFailure): void {
  if (halt === 'left') run.halt = halt;
  else if (run.halt === undefined) {
    run.halt = halt;
    run.failure = failure;
  }
  run.waits.release();
}

/** Names the node of a failure. */
export function failureAt(node: PlanNode, { message, status, body }: Omit<NodeFailure, 'retry'>): RunFailure {
  return {
    nodeId: node.id,
    nodeName: node.name,
    message,
    ...(status === undefined ? {} : { status }),
    ...(body === undefined ? {} : { body }),
  };
}

/** The same for every attempt and retry, whoever makes it. The last part is where the node stands among the iterations. */
export function idempotencyKey(run: RunState, frame: Frame, node: PlanNode): string {
  return `${run.input.facts.lineageId}:${node.id}:${frame.keyPath === '' ? '0' : frame.keyPath}`;
}
