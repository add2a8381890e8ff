import type { connectors } from '@inlay/connectors';
import type { Logger } from 'pino';
import type { Pool } from 'pg';
import type { OnConnected } from '#connections/index';
import type { Db } from '#db/schema';
import type { Clock } from '#domain/clock';
import type { Outbound } from '#outbound/index';
import type { FileStore } from '#files/index';
import type { HumanTasks } from '#human-tasks/index';
import type { Mail } from '#mail/index';
import type { NodeTypes } from '#domain/workflow-checks';
import type { Engine } from '#engine/index';
import type { Sandbox } from '#sandbox/index';
import type { Vault } from '#vault/index';

/** The settings that HTTP needs; `#config` provides them. */
export interface ApiConfig {
  /** The origin under which browsers and clients reach us: callback URLs and portal links start with it. */
  readonly publicUrl: string;
  readonly version: string;
  /** OAuth clients that the operator offers as "use our credentials", by app slug. */
  readonly appCredentials: Readonly<
    Record<string, { readonly clientId: string; readonly clientSecret: string }>
  >;
  /** Origins whose pages may call the wire; `*` is any. */
  readonly allowedOrigins: readonly string[];
  /** Life of a session token; Cobalt's documents say 24 h. */
  readonly sessionTokenHours: number;
  /** Whether strangers may create organisations. */
  readonly signUp: 'open' | 'closed';
  /** Origins that may show the portal in a frame, for the CSP; none by default. */
  readonly frameAncestors: readonly string[];
  /** Addresses of proxies whose `X-Forwarded-For` is believed. */
  readonly trustProxy: readonly string[];
  /** How long a sync execution keeps its caller waiting. */
  readonly syncTimeoutMs: number;
  /** Requests a minute of one credential, and of one linked account; 0 is no limit. */
  readonly rateLimitPerMinute: number;
  readonly accountRateLimitPerMinute: number;
  /** Calls a minute of one inbound webhook URL; 0 is no limit. */
  readonly webhookRateLimitPerMinute: number;
  /** Days that logs are kept where an organisation chose nothing, and the most that it may choose. */
  readonly logRetention: { readonly defaultDays: number; readonly maximumDays: number };
}

/** What the HTTP layer is built from. Each feature's part is named by that feature. */
export interface ApiDeps {
  readonly config: ApiConfig;
  readonly db: Db;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly log: Logger;
  readonly vault: Vault;
  readonly outbound: Outbound;
  readonly sandbox: Pick<Sandbox, 'runCode'>;
  readonly files: FileStore;
  readonly mail: Mail;
  readonly humanTasks: HumanTasks;
  readonly engine: Engine;
  /** Every connector of this build, by slug. */
  readonly connectors: typeof connectors;
  /** Every node type that a workflow may hold; the engine's registry. */
  readonly nodeTypes: NodeTypes;
  /** What follows on a new connection, in its transaction; see `makeDefaultConfig`. */
  readonly onConnected: OnConnected;
}
