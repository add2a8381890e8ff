import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, type Environment } from './http.ts';
import type { Page } from './page.ts';

export interface ExecutionSummary {
  readonly id: string;
  readonly workflow: { readonly id: string; readonly name: string };
  readonly linked_account_id: string;
  readonly status: string;
  readonly source: string;
  readonly event: string | null;
  readonly created_at: string;
  readonly completed_at: string | null;
  readonly duration_ms: number | null;
}

export interface NodeRun {
  readonly node_id: string;
  readonly name: string;
  readonly node_type: string;
  readonly status: string;
  readonly attempts: number;
  readonly started_at: string | null;
  readonly duration_ms: number | null;
  readonly input: unknown;
  readonly output: unknown;
  readonly error: { readonly message: string } | null;
}

export interface Execution extends ExecutionSummary {
  readonly version: number | null;
  readonly error: string | null;
  readonly is_stopping: boolean;
  readonly nodes: readonly NodeRun[];
}

/** What the address of the list may hold. */
export interface ExecutionFilter {
  readonly status?: string;
  readonly workflow?: string;
  readonly account?: string;
  readonly from?: string;
  readonly to?: string;
  readonly page?: number;
}

export const finalStatuses: ReadonlySet<string> = new Set([
  'COMPLETED',
  'ERRORED',
  'STOPPED',
  'TIMED_OUT',
  'TERMINATED',
]);

const whileRunningMs = 1500;

export const executionsQuery = (environment: Environment, filter: ExecutionFilter) =>
  queryOptions({
    queryKey: [environment, 'executions', filter],
    queryFn: ({ signal }) =>
      api<Page<ExecutionSummary>>('/executions', { environment, query: { ...filter, limit: 20 }, signal }),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.docs.some(({ status }) => !finalStatuses.has(status)) ? whileRunningMs : false,
  });

export const executionQuery = (environment: Environment, id: string) =>
  queryOptions({
    queryKey: [environment, 'execution', id],
    queryFn: ({ signal }) => api<Execution>(`/executions/${id}`, { environment, signal }),
    refetchInterval: ({ state }) =>
      state.data !== undefined && !finalStatuses.has(state.data.status) ? whileRunningMs : false,
  });

export function stopExecution(environment: Environment, id: string): Promise<unknown> {
  return api(`/executions/${id}/stop`, { method: 'POST', environment, body: {} });
}

export function rerunExecution(environment: Environment, id: string): Promise<{ id: string }> {
  return api(`/executions/${id}/rerun`, { method: 'POST', environment, body: {} });
}
