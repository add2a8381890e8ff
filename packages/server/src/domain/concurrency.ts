import { z } from 'zod';

/** How often a workflow may run at the same time: `settings.concurrency` of its document. */
export const concurrencySchema = z.strictObject(
  {
    limit: z
      .int('must be a whole number of executions')
      .min(1, 'must be at least 1')
      .max(10_000, 'must be at most 10000'),
    /** What becomes of an execution that finds the limit reached. */
    overflow: z.enum(['queue', 'drop', 'replace'], 'must be "queue", "drop" or "replace"').default('queue'),
    /** Whether all accounts share the limit, or each has its own. */
    per: z.enum(['workflow', 'account'], 'must be "workflow" or "account"').default('workflow'),
    /** Whether an execution that waits (delay, webhook, human task, sub-flow) keeps its place. */
    hold_while_waiting: z.boolean('must be true or false').default(false),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `knows no "${issue.keys.join('", "')}": it takes limit, overflow, per and hold_while_waiting`
        : 'must be an object such as {"limit": 1, "overflow": "queue"}',
  },
);

export type Concurrency = z.output<typeof concurrencySchema>;

/** The limit of a workflow, or undefined when it has none. The document was validated when it was saved. */
export function readConcurrency(settings: Readonly<Record<string, unknown>>): Concurrency | undefined {
  const given = settings['concurrency'];
  return given === undefined || given === null ? undefined : concurrencySchema.parse(given);
}
