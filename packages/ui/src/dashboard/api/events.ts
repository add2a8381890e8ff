import { queryOptions } from '@tanstack/react-query';
import { api, type Environment } from './http.ts';

export interface OrgEvent {
  readonly id: string;
  readonly name: string;
  readonly sample: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  readonly updated_at: string;
}

export const eventsQuery = (environment: Environment) =>
  queryOptions({
    queryKey: [environment, 'events'],
    queryFn: async ({ signal }) =>
      (await api<{ events: OrgEvent[] }>('/events', { environment, signal })).events,
  });

export function createEvent(
  environment: Environment,
  event: { name: string; sample: unknown },
): Promise<OrgEvent> {
  return api('/events', { method: 'POST', environment, body: event });
}

export function changeEvent(
  environment: Environment,
  id: string,
  event: { name?: string; sample?: unknown },
): Promise<OrgEvent> {
  return api(`/events/${id}`, { method: 'PATCH', environment, body: event });
}

export function deleteEvent(environment: Environment, id: string): Promise<unknown> {
  return api(`/events/${id}`, { method: 'DELETE', environment });
}

export function sendEvent(
  environment: Environment,
  id: string,
  input: { linked_account_id: string; payload: unknown },
): Promise<{ executions: number }> {
  return api(`/events/${id}/send`, { method: 'POST', environment, body: input });
}
