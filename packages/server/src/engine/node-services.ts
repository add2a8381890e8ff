import type { ApiRequest } from '@inlay/connectors/kit';
import type { EndState } from '#db/journal-flush';
import type { SyncReader, SyncWindow } from '#db/sync-window';
import type { ExecutionMode, FunctionField } from '#db/schema';
import type { AgentServices } from '#engine/agent-services';
import type { Tenant } from '#domain/tenant';
import type { ClientTls } from '#outbound/index';
import type { FileStore, OpenSource, UseSftp } from '#files/index';
import type { HumanTasks } from '#human-tasks/index';
import type { Mail } from '#mail/index';
import type { TableDeps } from '#records/index';
import type { PrintPdf } from '#pdf/index';
import type { Recovery } from '#engine/recovery';
import type { NodeEffect } from '#engine/nodes/node-type';

/** What the engine itself gives to its nodes; the rest comes from outside. */
export type OutsideServices = Omit<NodeServices, 'subFlows' | 'recovery'>;

/** The outside as nodes may use it. `main` builds it from outbound, connections and the sandbox; tests pass fakes. */
export interface NodeServices {
  readonly subFlows: SubFlows;
  readonly recovery: Recovery;
  /** Where tables and data references are kept. */
  readonly records: TableDeps;
  /** Sends a request of the author's own making: no credentials, the egress guard applies. */
  sendHttp(request: HttpNodeRequest): Promise<HttpNodeResponse>;
  /** The same for an answer of any size: its body is read, or left by ending the loop. */
  openHttp(
    request: HttpNodeRequest,
  ): Promise<Omit<HttpNodeResponse, 'body'> & { body: AsyncIterable<Buffer> }>;
  /** The ledger of incremental syncs. */
  readonly syncWindows: SyncWindows;
  /** Calls an app for a linked account with its stored credentials. */
  executeAction(call: ActionCall): Promise<ActionResult>;
  /**
   * Sends a request to an app with the account's credential, to the app's own hosts only; a refusal is an answer.
   *
   * @throws AppError as an action of the app does; `invalid_request` for another host
   */
  sendToApp(call: AppRequest): Promise<AppAnswer>;
  /**
   * What resending the action would do to the provider.
   *
   * @throws AppError `app_not_found`, `action_not_found`
   */
  actionEffect(
    call: Pick<ActionCall, 'tenant' | 'slug' | 'actionId' | 'input' | 'idempotencyKey'>,
  ): Exclude<NodeEffect, 'none'> | Promise<Exclude<NodeEffect, 'none'>>;
  /** Runs `yourFunction(params)` of an author. `variables` are what it may get; it comes back with those it set. */
  runCode(input: {
    code: string;
    language?: 'javascript' | 'python';
    params: unknown;
    variables?: Readonly<Record<string, unknown>>;
    tenant: Tenant;
    signal?: AbortSignal;
  }): Promise<{
    output: unknown;
    console: readonly { level: string; text: string }[];
    variables?: Readonly<Record<string, unknown>>;
  }>;
  /** Models, tools and transcripts of agents. */
  readonly agents: AgentServices;
  /** @throws AppError `function_not_found` */
  findFunction(
    tenant: Tenant,
    id: string,
    version?: number,
  ): Promise<{
    name: string;
    language: 'javascript' | 'python';
    code: string;
    inputs: readonly FunctionField[];
  }>;
  runJsonata(input: {
    expression: string;
    input: unknown;
    tenant: Tenant;
    timeoutMs: number;
    signal: AbortSignal;
  }): Promise<unknown>;
  /** Files of the tenant: written and read in streams, handed on as signed links. */
  readonly files: Pick<FileStore, 'write' | 'read' | 'named' | 'delete' | 'isOurLink'>;
  /** Opens a stored file (id or link) or an address on the internet for reading; the egress guard applies. */
  readonly openSource: OpenSource;
  /** Prints HTML or a page; what the page loads goes through the egress guard. */
  readonly printPdf: PrintPdf;
  /** Connects to an SFTP server; the egress guard applies. */
  readonly sftp: UseSftp;
  /** Sends mail by the node's own server, the environment's, or the installation's. */
  readonly mail: Pick<Mail, 'send'>;
  /** Forms that people fill in by a link. */
  readonly humanTasks: Pick<HumanTasks, 'open' | 'settle'>;
}

/** Executions that are children of others. */
export interface SubFlows {
  /** Starts the child of a node, or finds the one that it has started; a refusal says what to change. */
  start(call: SubFlowCall): Promise<{ readonly executionId: string } | { readonly refusal: string }>;
  result(tenant: Tenant, executionId: string): Promise<ChildResult>;
  /** A workflow as those see it who may call it; a refusal says what to change. */
  describe(
    call: Pick<SubFlowCall, 'tenant' | 'workflow' | 'linkedAccount' | 'appSlug'>,
  ): Promise<SubFlowDescription | { readonly refusal: string }>;
}

export interface SubFlowDescription {
  /** Its alias, or else its name. */
  readonly name: string;
  readonly slug: string | undefined;
  readonly description: string;
  /** JSON Schema of its payload: an object. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface SubFlowCall {
  readonly tenant: Tenant;
  readonly parent: {
    readonly executionId: string;
    readonly nodeId: string;
    readonly batch: string;
    /** The same place in the first repetition of the try blocks around it. */
    readonly firstBatch: string;
    /** The node waits for the end of its child. */
    readonly isAwaited: boolean;
  };
  /** Id or alias. */
  readonly workflow: string;
  readonly payload: unknown;
  /** Those in the payload that the parent knows of: its child keeps them too. */
  readonly secrets: readonly unknown[];
  readonly mode: ExecutionMode;
  readonly linkedAccount: { readonly id: string; readonly accountId: string };
  readonly configId: string;
  /** App of the parent's workflow. */
  readonly appSlug: string | undefined;
}

export type ChildResult =
  | { readonly state: 'gone' }
  | { readonly state: 'unfinished' }
  | {
      readonly state: EndState;
      readonly returnValue: unknown;
      /** What of all this the child showed nobody. */
      readonly secrets: readonly unknown[];
      /** Output of the Terminate node that ended it. */
      readonly termination: unknown;
      readonly error: {
        readonly message: string;
        readonly status?: number | undefined;
        readonly body?: unknown;
      };
    };

/** Which stretch of time an incremental sync reads (db/sync-window). */
export interface SyncWindows {
  /** @param firstFrom - where the first window begins; without it, at the beginning of time */
  open(tenant: Tenant, reader: SyncReader, firstFrom: Date | undefined): Promise<SyncWindow>;
  /** The window could not be read: the next run reads it again. */
  drop(tenant: Tenant, reader: SyncReader): Promise<void>;
}

export interface HttpNodeRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Text as it is, or the fields of a multipart form. */
  readonly body?: string | { readonly form: readonly (readonly [string, string])[] };
  readonly signal: AbortSignal;
  /** A certificate of our own for mutual TLS, and authorities to believe besides the usual ones; PEM. */
  readonly tls?: ClientTls | undefined;
}

export interface HttpNodeResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly retryAfterMs?: number;
}

export interface ActionCall {
  readonly tenant: Tenant;
  /** The record id of the linked account. */
  readonly linkedAccountId: string;
  readonly slug: string;
  readonly actionId: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

/** A request of the author's own to the API of an app. */
export interface AppRequest {
  readonly tenant: Tenant;
  /** The record id of the linked account. */
  readonly linkedAccountId: string;
  readonly slug: string;
  readonly request: ApiRequest;
  readonly signal: AbortSignal;
}

export interface AppAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON is read, other text is as it came. */
  readonly body: unknown;
  readonly retryAfterMs?: number;
}

export interface ActionResult {
  readonly ok: boolean;
  /** The provider's HTTP status; 0 when nothing came back. */
  readonly status: number;
  readonly data: unknown;
  readonly retryAfterMs?: number;
}
