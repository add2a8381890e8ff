import { queryOptions } from '@tanstack/react-query';
import { api, type Environment } from './http.ts';
import type { Page } from './page.ts';

export type VariableScope = 'org' | 'workspace' | 'linked_account' | 'workflow';

export interface Variable {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly scope: VariableScope;
  readonly format: 'string' | 'number' | 'url';
  readonly is_encrypted: boolean;
  readonly updated_at: string;
}

/** The first hundred: an organisation with more finds the others through the API. */
export const variablesQuery = (environment: Environment) =>
  queryOptions({
    queryKey: [environment, 'variables'],
    queryFn: async ({ signal }) =>
      (await api<Page<Variable>>('/variables?limit=100', { environment, signal })).docs,
  });

export function createVariable(
  environment: Environment,
  variable: Pick<Variable, 'name' | 'description' | 'scope' | 'format' | 'is_encrypted'>,
): Promise<Variable> {
  return api('/variables', { method: 'POST', environment, body: variable });
}

export function setVariable(
  environment: Environment,
  id: string,
  value: { value: string; linked_account_id?: string; workflow_id?: string },
): Promise<unknown> {
  return api(`/variables/${id}/value`, { method: 'PUT', environment, body: value });
}
