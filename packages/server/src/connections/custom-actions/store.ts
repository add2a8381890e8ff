import { createSecureContext } from 'node:tls';
import { z } from 'zod';
import type { ConnectionDeps } from '#connections/deps';
import { customActionDefinition } from '#connections/custom-actions/definition';
import { describedApp, ownAppSlug } from '#connections/own-api/connector';
import {
  deleteCustomAction,
  findCustomAction,
  listCustomActions,
  saveCustomAction,
  type StoredCustomAction,
} from '#db/custom-action';
import { AppError } from '#domain/errors';
import { newId } from '#domain/ids';
import type { Tenant } from '#domain/tenant';
import type { ClientTls } from '#outbound/index';
import { sealContext, type Vault } from '#vault/index';

type StoreDeps = Pick<ConnectionDeps, 'pool' | 'connectors' | 'vault'>;

interface Owner {
  readonly tenant: Tenant;
  readonly slug: string;
}

const actionId = z
  .string()
  .regex(/^[A-Za-z][\w-]{0,99}$/, 'use letters, digits, - and _, beginning with a letter');

const tlsBody = z.object({
  client_certificate: z.string().trim().max(100_000).optional(),
  client_key: z.string().trim().max(100_000).optional(),
  client_key_passphrase: z.string().max(1_000).optional(),
  trust_store: z.string().trim().max(500_000).optional(),
});

/** A custom action as people write it: names, definition, and what is sealed. */
export const customActionInput = customActionDefinition.safeExtend({
  name: z.string().trim().min(1, 'name the action').max(200),
  action_id: actionId.optional().describe('Made from the name without one'),
  description: z.string().max(2_000).default(''),
  mtls: tlsBody
    .nullish()
    .describe('PEM texts for mutual TLS. Never given out: left out they stay as they are, null removes them'),
});

export type CustomActionInput = z.output<typeof customActionInput>;

/** @throws AppError `app_not_found` */
export function customActionsOf(deps: StoreDeps, owner: Owner): Promise<StoredCustomAction[]> {
  requireApp(deps, owner);
  return listCustomActions(deps.pool, owner.tenant, owner.slug);
}

/** @throws AppError `not_found`, `app_not_found` */
export async function getCustomAction(
  deps: StoreDeps,
  owner: Owner,
  id: string,
): Promise<StoredCustomAction> {
  requireApp(deps, owner);
  const found = await findCustomAction(deps.pool, owner.tenant, owner.slug, { id });
  if (found === undefined) throw new AppError('not_found', { what: 'Custom action', id });
  return found;
}

/**
 * Makes an action of an app, or replaces the one with `id`. Whoever calls it gets the new one from then on.
 *
 * @throws AppError `conflict` for an action id that the app has already, `invalid_request`, `not_found`, `app_not_found`
 */
export async function putCustomAction(
  deps: StoreDeps,
  owner: Owner,
  { name, action_id: written, description, mtls, ...definition }: CustomActionInput,
  id?: string,
): Promise<StoredCustomAction> {
  requireApp(deps, owner);
  const before = id === undefined ? undefined : await getCustomAction(deps, owner, id);
  const called = written ?? before?.action_id ?? idFrom(name);
  const conflict = () =>
    new AppError('conflict', { what: `An action of ${owner.slug} with the id`, id: called });
  if (Object.hasOwn(describedApp(deps.connectors, owner.slug)?.actions ?? {}, called)) throw conflict();
  if (owner.slug === ownAppSlug && definition.token_injection !== undefined) {
    const message =
      'is of connected apps: how calls of My App prove themselves is set with PUT /api/admin/own-api';
    throw new AppError('invalid_request', { problems: [{ path: 'token_injection', message }] });
  }
  const rowId = id ?? newId();
  const stored = await saveCustomAction(deps.pool, owner.tenant, {
    id: rowId,
    app_slug: owner.slug,
    action_id: called,
    name,
    description,
    definition,
    tls_sealed: mtls === undefined ? (before?.tls_sealed ?? null) : sealedTls(deps.vault, rowId, mtls),
  });
  if (stored === undefined) throw conflict();
  return stored;
}

/** Nodes that use it fail from then on. @throws AppError `not_found`, `app_not_found` */
export async function removeCustomAction(deps: StoreDeps, owner: Owner, id: string): Promise<void> {
  requireApp(deps, owner);
  if (!(await deleteCustomAction(deps.pool, owner.tenant, owner.slug, id))) {
    throw new AppError('not_found', { what: 'Custom action', id });
  }
}

/** The certificate of an action, for the connection that it is shown on. */
export function openTls(vault: Pick<Vault, 'openJson'>, row: StoredCustomAction): ClientTls | undefined {
  if (row.tls_sealed === null) return undefined;
  return vault.openJson(row.tls_sealed, sealContext('custom_action.tls_sealed', row.id)) as ClientTls;
}

function sealedTls(
  vault: Pick<Vault, 'sealJson'>,
  id: string,
  given: z.output<typeof tlsBody> | null,
): Buffer | null {
  if (given === null) return null;
  const tls: ClientTls = {
    cert: given.client_certificate || undefined,
    key: given.client_key || undefined,
    passphrase: given.client_key_passphrase || undefined,
    ca: given.trust_store || undefined,
  };
  const refuse = (field: string, message: string): never => {
    throw new AppError('invalid_request', { problems: [{ path: `mtls.${field}`, message }] });
  };
  if (tls.cert === undefined && tls.key !== undefined)
    refuse('client_certificate', 'belongs to the client_key');
  if (tls.key === undefined && tls.cert !== undefined)
    refuse('client_key', 'belongs to the client_certificate');
  if (tls.cert === undefined && tls.ca === undefined) return null;
  try {
    createSecureContext(tls);
  } catch {
    // The reason may quote the key.
    refuse(
      tls.cert === undefined ? 'trust_store' : 'client_certificate',
      'cannot be read: PEM texts that belong together, with the right passphrase',
    );
  }
  return vault.sealJson(tls, sealContext('custom_action.tls_sealed', id));
}

/** `Find contact by e-mail` is `findContactByEMail`. */
function idFrom(name: string): string {
  const words = name.normalize('NFKD').match(/[A-Za-z0-9]+/g) ?? [];
  const id = words
    .map((word, at) =>
      at === 0 ? word.toLowerCase() : `${word[0]!.toUpperCase()}${word.slice(1).toLowerCase()}`,
    )
    .join('')
    .slice(0, 100);
  if (/^[A-Za-z]/.test(id)) return id;
  throw new AppError('missing_field', { field: 'action_id' });
}

function requireApp(deps: Pick<StoreDeps, 'connectors'>, { tenant, slug }: Owner): void {
  if (describedApp(deps.connectors, slug) === undefined)
    throw new AppError('app_not_found', { slug, orgId: tenant.orgId });
}
