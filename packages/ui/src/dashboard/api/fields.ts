import { queryOptions } from '@tanstack/react-query';
import { api, type Environment } from './http.ts';

export interface ConfigField {
  readonly id: string;
  readonly app_slug: string;
  readonly workflow_id: string | null;
  readonly name: string;
  readonly field_type: string;
  readonly position: number;
  readonly is_required: boolean;
  readonly is_multiple: boolean;
  readonly is_hidden: boolean;
  readonly definition: Readonly<Record<string, unknown>>;
}

export interface FieldInput {
  readonly name: string;
  readonly field_type: string;
  readonly is_required: boolean;
  readonly is_multiple: boolean;
  readonly definition: Readonly<Record<string, unknown>>;
}

export const fieldsQuery = (environment: Environment, slug: string) =>
  queryOptions({
    queryKey: [environment, 'fields', slug],
    queryFn: async ({ signal }) =>
      (await api<{ fields: ConfigField[] }>(`/apps/${slug}/config-fields`, { environment, signal })).fields,
  });

export function createField(environment: Environment, slug: string, field: FieldInput): Promise<ConfigField> {
  return api(`/apps/${slug}/config-fields`, { method: 'POST', environment, body: field });
}

export function changeField(environment: Environment, id: string, field: FieldInput): Promise<ConfigField> {
  return api(`/config-fields/${id}`, { method: 'PATCH', environment, body: field });
}

export function deleteField(environment: Environment, id: string): Promise<unknown> {
  return api(`/config-fields/${id}`, { method: 'DELETE', environment });
}
