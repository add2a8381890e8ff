import { checkConnection, type Connector, type Place, ProviderError } from '@inlay/connectors/kit';
import type { ConnectionDeps } from '#connections/deps';
import { inputProblem } from '#connections/input-problem';
import { placementOf, providerHttp } from '#connections/provider-http';
import { type ProvenCredential, storeConnection, type StoredConnection } from '#connections/store-connection';
import { AppError } from '#domain/errors';

/** Calls that prove a credential are counted apart: the connection has no id yet. */
export function connectBudgetKey(linkedAccountId: string, slug: string): string {
  return `connect:${linkedAccountId}:${slug}`;
}

interface TriedCredential extends Omit<ProvenCredential, 'slug' | 'identifier' | 'meta'> {
  readonly connector: Connector;
  readonly place: Place;
}

/**
 * Asks the provider with a credential, and stores the credential only if it is accepted.
 *
 * @throws ProviderError, InputError: `connectProblem` makes them errors of ours
 */
export async function tryAndStore(deps: ConnectionDeps, tried: TriedCredential): Promise<StoredConnection> {
  const { connector, place, ...given } = tried;
  const budgetKey = connectBudgetKey(given.linkedAccountId, connector.slug);
  const placement = placementOf(connector, given.credential, place);
  const http = providerHttp(deps.outbound, { connector, place, budgetKey }, placement);
  const checked = await checkConnection(connector, http, place);
  return storeConnection(deps, {
    ...given,
    slug: connector.slug,
    identifier: checked.identifier,
    meta: { ...place.meta, ...checked.meta },
  });
}

/** A provider's refusal of what was to be verified, or a complaint about input, as an error of ours. */
export function connectProblem(error: unknown, connector: Connector): unknown {
  if (!(error instanceof ProviderError)) return inputProblem(error, connector);
  const app = connector.name;
  // A definite no, or a provider that cannot say now.
  const isDefinite = error.status < 500 && error.status !== 429;
  return isDefinite
    ? new AppError('credential_rejected', { app, reason: `HTTP ${error.status}` }, { cause: error })
    : new AppError(
        'provider_unreachable',
        { app, reason: `it answered with status ${error.status}, so the credentials could not be verified` },
        { cause: error },
      );
}
