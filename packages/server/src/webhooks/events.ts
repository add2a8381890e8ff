/** What happens to executions and connections, by the names of the wire (spec/api §5). */
export const alertEvents = [
  'Workflow Completed',
  'Workflow Errored',
  'Workflow Stopped',
  'Workflow Timed Out',
  'Connection Created',
  'Connection Deleted',
  'Connection Expired',
] as const;

/** Ends that a failure rate counts; somebody who stops an execution says nothing about how it was going. */
export const countedEnds = [
  'Workflow Completed',
  'Workflow Errored',
  'Workflow Timed Out',
  'Workflow Terminated',
] as const;

export const failedEnds: ReadonlySet<string> = new Set(['Workflow Errored', 'Workflow Timed Out']);

/** What rules about a stretch of time tell when they begin and cease to be broken. */
export const windowEvents = {
  failure_rate: { fires: 'Failure Rate Exceeded', recovers: 'Failure Rate Recovered' },
  no_run: { fires: 'Workflow Not Run', recovers: 'Workflow Running Again' },
} as const;

export const testEvent = 'Test';
