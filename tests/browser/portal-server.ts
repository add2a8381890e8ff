import { type AcmeCrm, startAcmeCrm } from '@inlay/example-acme-crm';
import { createTestApi, type TestApi } from '../../packages/server/src/api/testing.ts';
import { saveAppSettings } from '../../packages/server/src/connections/index.ts';
import { freePort } from '../inlay.ts';

/** The real HTTP server on a real database, with Acme CRM and Gong enabled, and a real Acme CRM beside it. */
export interface PortalServer {
  readonly url: string;
  readonly api: TestApi;
  readonly acme: AcmeCrm;
  /** A hosted link as `POST connect-url` answers it, for a new linked account unless one is named. */
  newLink(options?: {
    readonly properties?: Record<string, unknown>;
    readonly accountId?: string;
  }): Promise<string>;
  close(): Promise<void>;
}

export async function startPortalServer(): Promise<PortalServer> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const api = await createTestApi({ config: { publicUrl: url } });
  const client = { id: 'inlay-portal-tests', secret: 'a-secret-of-the-portal-tests' };
  const acme = await startAcmeCrm({
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        name: 'Winterfell Cloud',
        redirect_uris: [`${url}/api/v1/acme-crm/callback`],
      },
    ],
  });
  const { tenant, orgId, keys } = api.org;
  await api.database.db
    .updateTable('organization')
    .set({
      name: 'Winterfell Cloud',
      settings: JSON.stringify({ portal_return_url: 'https://winterfell.example/settings' }),
    })
    .where('id', '=', orgId)
    .execute();
  await saveAppSettings(api.deps, tenant, 'acme-crm', {
    isEnabled: true,
    credentialSource: 'own',
    clientId: client.id,
    clientSecret: client.secret,
    optionalScopes: ['contacts:read', 'contacts:write'],
    variables: { acme_base_url: acme.url },
  });
  await saveAppSettings(api.deps, tenant, 'gong', { isEnabled: true });
  await api.app.listen({ host: '127.0.0.1', port });

  let accounts = 0;
  return {
    url,
    api,
    acme,
    async newLink({ properties = {}, accountId } = {}) {
      const id = accountId ?? `customer-${++accounts}`;
      if (accountId === undefined) await api.addLinkedAccount(id);
      const answer = await fetch(`${url}/api/v2/public/connect-url?linked_account_id=${id}`, {
        method: 'POST',
        headers: { 'x-api-key': keys.test, 'content-type': 'application/json' },
        body: JSON.stringify(properties),
      });
      if (!answer.ok) throw new Error(`connect-url answered ${answer.status}: ${await answer.text()}`);
      return ((await answer.json()) as { hosted_url: string }).hosted_url;
    },
    async close() {
      await api.close();
      await acme.close();
    },
  };
}
