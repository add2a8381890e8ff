import type { TestContext } from 'node:test';
import { type AcmeCrm, startAcmeCrm } from '@inlay/example-acme-crm';
import type { ConnectionDeps } from '#connections/deps';
import { finishOAuth, startOAuth } from '#connections/oauth-flow';
import { testAccount } from '#connections/testing';
import type { LinkedAccountRef } from '#domain/linked-account';
import type { Tenant } from '#domain/tenant';

/** The API key of the CRM's demo user. */
export const acmeKey = 'acme_key_demo_ada';

/** A running CRM that knows our client; it ends with the test. */
export async function runningAcme(
  t: Pick<TestContext, 'after'>,
  options: { redirectUri?: string; accessTokenTtlSeconds?: number } = {},
): Promise<AcmeCrm> {
  const crm = await startAcmeCrm({
    clients: [
      {
        client_id: 'inlay-test',
        client_secret: 'inlay-test-secret',
        name: 'Inlay Test',
        redirect_uris: [options.redirectUri ?? 'http://localhost:9/api/v1/acme-crm/callback'],
      },
    ],
    accessTokenTtlSeconds: options.accessTokenTtlSeconds ?? 300,
  });
  t.after(() => crm.close());
  return crm;
}

/** An account whose company has Acme CRM enabled with that client. */
export function acmeAccount(
  deps: ConnectionDeps,
  crm: AcmeCrm,
): Promise<{ tenant: Tenant; linkedAccount: LinkedAccountRef }> {
  return testAccount(deps, {
    slug: 'acme-crm',
    variables: { acme_base_url: crm.url },
    client: ['inlay-test', 'inlay-test-secret'],
  });
}

/** Walks the provider's pages as a person does, and answers the query of the redirect back to us. */
export async function consent(
  authUrl: string,
  choice: 'allow' | 'deny' = 'allow',
  email = 'ada@analytical.example',
): Promise<URLSearchParams> {
  const redirectUri = new URL(authUrl).searchParams.get('redirect_uri') ?? '';
  const cookies = new Map<string, string>();
  let url = authUrl;
  let form: Record<string, string> | undefined;
  for (let step = 0; step < 20; step += 1) {
    // oxlint-disable-next-line no-restricted-globals -- this is the person's browser, not Inlay
    const response = await fetch(url, {
      redirect: 'manual',
      headers: {
        accept: 'text/html',
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        origin: new URL(url).origin,
      },
      ...(form !== undefined && { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split(/=(.*)/s);
      cookies.set(name, value);
    }
    form = undefined;
    const text = await response.text();
    const location = response.headers.get('location');
    if (location !== null) {
      url = new URL(location, url).href;
      if (url.startsWith(redirectUri)) return new URL(url).searchParams;
      continue;
    }
    const action = (ending: string): string | undefined =>
      new RegExp(`action="([^"]*${ending})"`).exec(text)?.[1];
    const signIn = action('/sign-in');
    const next = signIn ?? action(`/${choice}`);
    if (next === undefined) throw new Error(`no way on from ${url}:\n${text}`);
    url = new URL(next, url).href;
    form = signIn === undefined ? {} : { email, password: 'demo' };
  }
  throw new Error('the provider sent us in circles');
}

/** An account that is connected by OAuth. */
export async function connectedByOAuth(
  deps: ConnectionDeps,
  crm: AcmeCrm,
): Promise<{ tenant: Tenant; linkedAccount: LinkedAccountRef; slug: string }> {
  const account = await acmeAccount(deps, crm);
  const { authUrl } = await startOAuth(deps, { ...account, slug: 'acme-crm', params: {} });
  const outcome = await finishOAuth(deps, { slug: 'acme-crm', query: await consent(authUrl) });
  if (outcome.kind !== 'connected') throw new Error(`not connected: ${JSON.stringify(outcome)}`);
  return { ...account, slug: 'acme-crm' };
}
