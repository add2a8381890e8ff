import { type PollItem, ProviderError } from '@inlay/connectors/kit';
import type { z } from 'zod';
import { type ConnectionDeps, pollApp } from '#connections/index';
import {
  deleteCustomPoll,
  findCustomPoll,
  listCustomPolls,
  saveCustomPoll,
  type StoredCustomPoll,
} from '#db/custom-poll';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';
import { type customPollBody, readCustomPoll } from '#triggers/custom-poll-definition';

/** Polling triggers that the organisation makes for an app: any endpoint that lists records. */

export type CustomPollInput = z.output<typeof customPollBody>;

interface Owner {
  readonly tenant: Tenant;
  readonly slug: string;
}

/** @throws AppError `app_not_found` */
export function customPollsOf(deps: ConnectionDeps, owner: Owner): Promise<StoredCustomPoll[]> {
  requireApp(deps, owner);
  return listCustomPolls(deps.pool, owner.tenant, owner.slug);
}

/** @throws AppError `not_found`, `app_not_found` */
export async function getCustomPoll(
  deps: ConnectionDeps,
  owner: Owner,
  id: string,
): Promise<StoredCustomPoll> {
  requireApp(deps, owner);
  const found = await findCustomPoll(deps.db, owner.tenant, owner.slug, id);
  if (found === undefined) throw new AppError('not_found', { what: 'Polling trigger', id });
  return found;
}

/**
 * Makes one, or replaces the one with `id`. Workflows that poll by it begin anew where it asks for other records.
 *
 * @throws AppError `conflict` for a name that the app has already, `not_found`, `app_not_found`
 */
export async function putCustomPoll(
  deps: ConnectionDeps,
  owner: Owner,
  { name, ...definition }: CustomPollInput,
  id?: string,
): Promise<StoredCustomPoll> {
  requireApp(deps, owner);
  if (id !== undefined) await getCustomPoll(deps, owner, id);
  const stored = await saveCustomPoll(deps.pool, owner.tenant, {
    id: id ?? newId(),
    app_slug: owner.slug,
    name,
    definition,
  });
  if (stored === undefined) throw new AppError('conflict', { what: 'A polling trigger named', id: name });
  return stored;
}

/** @throws AppError `not_found`, `app_not_found`; `wrong_state` while a published workflow polls by it */
export async function removeCustomPoll(deps: ConnectionDeps, owner: Owner, id: string): Promise<void> {
  await getCustomPoll(deps, owner, id);
  const users = await deleteCustomPoll(deps.pool, owner.tenant, id);
  if (users.length === 0) return;
  const names = users.map((name) => `"${name}"`).join(', ');
  throw new AppError('wrong_state', {
    reason: `Published workflows poll by this trigger: ${names}. Unpublish them, or give them another trigger.`,
  });
}

/**
 * Asks the app once, as a poll would, and starts nothing.
 *
 * @returns what a poll of the last day would see
 * @throws AppError `invalid_request` when the app refuses the request; else as an action of the app does
 */
export async function tryCustomPoll(
  deps: ConnectionDeps,
  owner: Owner & { readonly linkedAccount: LinkedAccountRef },
  definition: CustomPollInput,
): Promise<{ readonly items: readonly PollItem[]; readonly isTruncated: boolean }> {
  requireApp(deps, owner);
  const until = deps.clock.now();
  try {
    return await pollApp(deps, {
      tenant: owner.tenant,
      linkedAccountId: owner.linkedAccount.id,
      slug: owner.slug,
      trigger: { custom: readCustomPoll(definition) },
      since: new Date(until.getTime() - 86_400_000),
      until,
    });
  } catch (error) {
    throw error instanceof AppError ? (requestProblem(deps, owner.slug, definition, error) ?? error) : error;
  }
}

/** The app is there and refuses what it is asked: that is a fault of the definition, not of the app. */
function requestProblem(
  deps: ConnectionDeps,
  slug: string,
  { path }: CustomPollInput,
  error: AppError,
): AppError | undefined {
  const { cause } = error;
  if (!(cause instanceof ProviderError) || !faultsOfRequest.has(cause.status)) return undefined;
  const app = deps.connectors.get(slug)?.name ?? slug;
  const message = `${app} answers ${cause.status} to a request for "${path}": look at the path and the parameters`;
  return new AppError('invalid_request', { problems: [{ path: 'path', message }] }, { cause: error });
}

const faultsOfRequest: ReadonlySet<number> = new Set([400, 404, 405, 406, 410, 414, 415, 422]);

function requireApp(deps: ConnectionDeps, { tenant, slug }: Owner): void {
  if (!deps.connectors.has(slug)) throw new AppError('app_not_found', { slug, orgId: tenant.orgId });
}
