import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Db } from '#db/schema';
import type { Clock } from '#domain/clock';
import type { Engine } from '#engine/index';

/** What triggers are built from. */
export interface TriggerDeps {
  readonly db: Db;
  readonly pool: Pool;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn' | 'error' | 'info'>;
  readonly engine: Pick<Engine, 'startInTransaction' | 'wake'>;
}
