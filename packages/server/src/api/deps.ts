import type { Logger } from 'pino';
import type { Pool } from 'pg';
import type { Db } from '#db/schema';
import type { Clock } from '#domain/clock';
import type { Vault } from '#vault/index';

/** The settings that HTTP needs; `#config` provides them. */
export interface ApiConfig {
  /** Where browsers and clients reach us, without a trailing slash: callback URLs and portal links start with it. */
  readonly publicUrl: string;
  readonly version: string;
  /** Life of a session token; Cobalt's documents say 24 h. */
  readonly sessionTokenTtlSeconds: number;
  /** Origins that may show the portal in a frame, for the CSP; none by default. */
  readonly frameAncestors: readonly string[];
  /** Whether `X-Forwarded-For` of the proxy in front is believed. */
  readonly trustProxy: boolean;
  /** Token buckets per API key and per linked account; `perSecond: 0` turns one off. */
  readonly rateLimits: { readonly key: RateLimit; readonly linkedAccount: RateLimit };
}

export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** What the HTTP layer is built from. Each feature's part is named by that feature. */
export interface ApiDeps {
  readonly config: ApiConfig;
  readonly db: Db;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly log: Logger;
  readonly vault: Vault;
}
