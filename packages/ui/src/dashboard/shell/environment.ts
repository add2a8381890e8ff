import { useParams } from '@tanstack/react-router';
import type { Environment } from '../api/http.ts';

export function isEnvironment(text: string | undefined): text is Environment {
  return text === 'test' || text === 'production';
}

/** The environment of the page's address: it is never remembered, so two windows cannot disagree. */
export function useEnvironment(): Environment {
  const { environment } = useParams({ strict: false });
  return isEnvironment(environment) ? environment : 'test';
}

/** The pages that need nothing but the environment in their address. */
export type MainPage =
  | '/$environment'
  | '/$environment/apps'
  | '/$environment/linked-accounts'
  | '/$environment/workflows'
  | '/$environment/workflows/new'
  | '/$environment/your-app/setup'
  | '/$environment/your-app/events'
  | '/$environment/your-app/variables'
  | '/$environment/logs/executions'
  | '/$environment/settings/organisation'
  | '/$environment/settings/api-keys'
  | '/$environment/settings/account';
