import type { Tenant } from '#domain/tenant';
import type { NodeEffect } from '#engine/nodes/node-type';

/** The outside as nodes may use it. `main` builds it from outbound, connections and the sandbox; tests pass fakes. */
export interface NodeServices {
  /** Sends a request of the author's own making: no credentials, the egress guard applies. */
  sendHttp(request: HttpNodeRequest): Promise<HttpNodeResponse>;
  /** Calls an app for a linked account with its stored credentials. */
  executeAction(call: ActionCall): Promise<ActionResult>;
  /** What an action does to the provider; `undefined` when there is no such action. */
  actionEffect(appSlug: string, actionId: string): Exclude<NodeEffect, 'none'> | undefined;
  runCode(input: {
    code: string;
    params: unknown;
    timeoutMs: number;
    memoryMb: number;
    signal?: AbortSignal;
  }): Promise<{ output: unknown; console: readonly { level: string; text: string }[] }>;
  runJsonata(input: { expression: string; input: unknown; timeoutMs: number }): Promise<unknown>;
}

export interface HttpNodeRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | FormData;
  readonly signal: AbortSignal;
}

export interface HttpNodeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  text(): Promise<string>;
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

export interface ActionResult {
  readonly ok: boolean;
  /** The provider's HTTP status; 0 when nothing came back. */
  readonly status: number;
  readonly data: unknown;
  readonly retryAfterMs?: number;
}
