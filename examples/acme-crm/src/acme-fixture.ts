import { createHash, randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { ClientSpec } from './oauth/clients.ts';
import { type HttpBrowser, httpBrowser, type Page } from './http-browser.ts';
import { type AcmeCrm, type AcmeCrmOptions, startAcmeCrm } from './server.ts';

export const callback = 'http://localhost:9/api/v1/acme-crm/callback';

export const testClient = {
  client_id: 'test-app',
  client_secret: 'test-secret-123',
  name: 'Test App',
  redirect_uris: [callback],
} satisfies ClientSpec;

export interface Tokens {
  access_token: string;
  refresh_token: string;
  expires_in: number;
  scope: string;
  token_type: string;
}

/** A running CRM that is stopped with the test. */
export async function runningCrm(t: TestContext, options: AcmeCrmOptions = {}): Promise<AcmeCrm> {
  const crm = await startAcmeCrm({ clients: [testClient], ...options });
  t.after(() => crm.close());
  return crm;
}

/** The address an app sends people to. */
export function authorizeUrl(crm: AcmeCrm, params: Record<string, string> = {}): string {
  const query = {
    client_id: testClient.client_id,
    response_type: 'code',
    redirect_uri: callback,
    state: 's1',
    ...params,
  };
  return `${crm.url}/oauth/authorize?${new URLSearchParams(query).toString()}`;
}

export function newPkce(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** Where the form whose action ends so is sent. */
export function formAction(page: Page, ending: string): string {
  const action = new RegExp(`action="([^"]*${ending})"`).exec(page.text)?.[1];
  if (action === undefined) throw new Error(`no form ends in "${ending}" on:\n${page.text}`);
  return new URL(action, page.url).href;
}

/** Signs in and presses Allow; answers the redirect to the app. */
export async function allow(
  crm: AcmeCrm,
  input: { params?: Record<string, string>; email?: string; browser?: HttpBrowser } = {},
): Promise<URL> {
  const browser = input.browser ?? httpBrowser(callback);
  let page = await browser.get(authorizeUrl(crm, input.params));
  if (page.text.includes('/sign-in"')) {
    const fields = { email: input.email ?? 'ada@analytical.example', password: 'demo' };
    page = await browser.post(formAction(page, '/sign-in'), fields);
  }
  const done = await browser.post(formAction(page, '/allow'));
  if (done.location === undefined) throw new Error(`not sent back to the app: ${done.text}`);
  return new URL(done.location);
}

/** A request to the token endpoint with Basic client authentication. */
export function tokenRequest(
  crm: AcmeCrm,
  fields: Record<string, string>,
  client = testClient,
): Promise<Response> {
  const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
  return fetch(`${crm.url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams(fields),
  });
}

export function refresh(crm: AcmeCrm, refreshToken: string): Promise<Response> {
  return tokenRequest(crm, { grant_type: 'refresh_token', refresh_token: refreshToken });
}

/** A connected app: the whole code flow with PKCE, to tokens. */
export async function connect(
  crm: AcmeCrm,
  input: { params?: Record<string, string>; email?: string; browser?: HttpBrowser } = {},
): Promise<Tokens> {
  const { verifier, challenge } = newPkce();
  const params = { code_challenge: challenge, code_challenge_method: 'S256', ...input.params };
  const back = await allow(crm, { ...input, params });
  const code = back.searchParams.get('code') ?? '';
  const fields = { grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: verifier };
  const response = await tokenRequest(crm, fields);
  if (!response.ok) throw new Error(`no tokens: ${await response.text()}`);
  return (await response.json()) as Tokens;
}

/** A call of the REST API. */
export function api(
  crm: AcmeCrm,
  method: string,
  path: string,
  input: { token?: string; key?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Response> {
  return fetch(`${crm.url}/api/v1${path}`, {
    method,
    headers: {
      ...(input.token !== undefined && { authorization: `Bearer ${input.token}` }),
      ...(input.key !== undefined && { 'x-acme-key': input.key }),
      ...(input.body !== undefined && { 'content-type': 'application/json' }),
      ...input.headers,
    },
    ...(input.body !== undefined && { body: JSON.stringify(input.body) }),
  });
}
