/** The two disjoint halves of an organisation's data; the API key alone selects one. */
export type Environment = 'test' | 'production';

/** What every query over tenant data must name: whose data, and which half of it. */
export interface Tenant {
  readonly orgId: string;
  readonly environment: Environment;
}
