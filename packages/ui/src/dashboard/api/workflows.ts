import { queryOptions } from '@tanstack/react-query';
import { api, type Environment } from './http.ts';

export interface WorkflowDocument {
  readonly nodes: readonly {
    readonly id: string;
    readonly node_type: string;
    readonly name: string;
    readonly data: Readonly<Record<string, unknown>>;
  }[];
  readonly edges: readonly { readonly source: string; readonly target: string }[];
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface WorkflowSummary {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly app_slug: string | null;
  readonly published_version: number | null;
  readonly trigger: { readonly kind: string; readonly event?: string } | null;
  readonly updated_at: string;
}

export interface Workflow extends WorkflowSummary {
  readonly draft: WorkflowDocument;
  readonly draft_revision: number;
  readonly problems: readonly { readonly path: string; readonly message: string }[];
  readonly versions: readonly {
    readonly version: number;
    readonly description: string | null;
    readonly created_at: string;
  }[];
}

export const workflowsQuery = (environment: Environment) =>
  queryOptions({
    queryKey: [environment, 'workflows'],
    queryFn: async ({ signal }) =>
      (await api<{ workflows: WorkflowSummary[] }>('/workflows', { environment, signal })).workflows,
  });

export const workflowQuery = (environment: Environment, id: string) =>
  queryOptions({
    queryKey: [environment, 'workflows', id],
    queryFn: ({ signal }) => api<Workflow>(`/workflows/${id}`, { environment, signal }),
  });

export function createWorkflow(
  environment: Environment,
  workflow: { name: string; app_slug?: string | null; draft?: WorkflowDocument },
): Promise<Workflow> {
  return api('/workflows', { method: 'POST', environment, body: workflow });
}

export function changeWorkflow(
  environment: Environment,
  id: string,
  change: { name?: string; draft?: WorkflowDocument; draft_revision?: number },
): Promise<Workflow> {
  return api(`/workflows/${id}`, { method: 'PATCH', environment, body: change });
}

export function publishWorkflow(environment: Environment, id: string): Promise<Workflow> {
  return api(`/workflows/${id}/publish`, { method: 'POST', environment, body: {} });
}

export function unpublishWorkflow(environment: Environment, id: string): Promise<Workflow> {
  return api(`/workflows/${id}/unpublish`, { method: 'POST', environment, body: {} });
}

export function deleteWorkflow(environment: Environment, id: string): Promise<unknown> {
  return api(`/workflows/${id}`, { method: 'DELETE', environment });
}
