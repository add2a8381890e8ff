import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errors, type Interaction, type Provider } from 'oidc-provider';
import type { Clock } from '../clock.ts';
import { findClient, type RegisteredClient } from '../oauth/clients.ts';
import { findPerson, type Person, signIn } from '../people.ts';
import { isScope, scopeWords } from '../scopes.ts';
import type { Store } from '../store.ts';
import { personOfCookies, signBrowserIn, signBrowserOut } from './browser-session.ts';
import { html } from './html.ts';
import { cardPage, pageHeaders } from './layout.ts';
import { oauthErrorPage } from './oauth-error.ts';
import { signInPage } from './sign-in.ts';

interface Deps {
  store: Store;
  clock: Clock;
  provider: Provider;
}

interface Route {
  Params: { uid: string };
  Body: URLSearchParams;
}

/**
 * The pages between an app's authorization request and its answer: sign in, then consent.
 * oidc-provider ties each to the browser by a signed cookie on its path, so another site cannot post here.
 */
export function interactionPages(app: FastifyInstance, deps: Deps): void {
  const { provider, store } = deps;

  const finish = async (
    request: FastifyRequest,
    reply: FastifyReply,
    result: Parameters<Provider['interactionResult']>[2],
  ) => {
    const returnTo = await provider.interactionResult(request.raw, reply.raw, result);
    return reply.redirect(returnTo, 303);
  };
  const current = (request: FastifyRequest, reply: FastifyReply) =>
    provider.interactionDetails(request.raw, reply.raw);

  app.addHook('onSend', async (_request, reply) => void reply.headers(pageHeaders("'self' http: https:")));
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof errors.OIDCProviderError)) throw error;
    const page = oauthErrorPage({ error: error.error, description: error.error_description });
    return reply.code(error.statusCode).type('text/html').send(page);
  });

  app.get<Route>('/interaction/:uid', async (request, reply) => {
    const interaction = await current(request, reply);
    const client = clientOf(store, interaction);
    const person = personOfCookies(deps, request.headers.cookie);
    if (interaction.prompt.name === 'login') {
      const isFresh = interaction.prompt.reasons.includes('login_prompt');
      if (person !== undefined && !isFresh)
        return finish(request, reply, { login: { accountId: person.id } });
      const action = `/interaction/${interaction.uid}/sign-in`;
      return reply.type('text/html').send(signInPage({ action, appName: client.name }));
    }
    const account = findPerson(store, interaction.session?.accountId ?? '');
    if (account === undefined) throw new errors.SessionNotFound('the session has expired');
    return reply.type('text/html').send(consentPage(interaction, client, account));
  });

  app.post<Route>('/interaction/:uid/sign-in', async (request, reply) => {
    const interaction = await current(request, reply);
    const email = request.body.get('email') ?? '';
    const person = signIn(store, email, request.body.get('password') ?? '');
    if (person === undefined) {
      const page = signInPage({
        action: `/interaction/${interaction.uid}/sign-in`,
        appName: clientOf(store, interaction).name,
        email,
        error: 'Email or password is wrong.',
      });
      return reply.code(401).type('text/html').send(page);
    }
    signBrowserIn(deps, reply, person);
    return finish(request, reply, { login: { accountId: person.id } });
  });

  app.post<Route>('/interaction/:uid/allow', async (request, reply) => {
    const interaction = await current(request, reply);
    const { prompt, session } = interaction;
    const accountId = session?.accountId;
    if (prompt.name !== 'consent' || accountId === undefined) {
      throw new errors.SessionNotFound('the session has expired');
    }
    const grant = new provider.Grant({ accountId, clientId: textParam(interaction, 'client_id') });
    grant.addOIDCScope(textParam(interaction, 'scope'));
    return finish(request, reply, { consent: { grantId: await grant.save() } });
  });

  app.post<Route>('/interaction/:uid/deny', async (request, reply) => {
    await current(request, reply);
    return finish(request, reply, { error: 'access_denied', error_description: 'The user denied access.' });
  });

  app.post<Route>('/interaction/:uid/switch', async (request, reply) => {
    const { params } = await current(request, reply);
    signBrowserOut(deps, request, reply);
    const given = Object.entries(params).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    return reply.redirect(`/oauth/authorize?${new URLSearchParams(given).toString()}`, 303);
  });
}

function textParam(interaction: Interaction, name: string): string {
  const value = interaction.params[name];
  return typeof value === 'string' ? value : '';
}

function clientOf(store: Store, interaction: Interaction): RegisteredClient {
  const client = findClient(store, textParam(interaction, 'client_id'));
  if (client === undefined) throw new errors.InvalidClient('client is invalid', 'client not found');
  return client;
}

function consentPage(interaction: Interaction, client: RegisteredClient, person: Person): string {
  const scopes = textParam(interaction, 'scope').split(' ').filter(isScope);
  const host = new URL(textParam(interaction, 'redirect_uri')).host;
  const base = `/interaction/${interaction.uid}`;
  return cardPage(
    `Connect ${client.name}`,
    html`<h1>${client.name} wants to use your Acme CRM account</h1>
      <form method="post" action="${base}/switch">
        <p class="muted">
          Signed in as <strong>${person.email}</strong> (${person.company_name}).
          <button class="link">Use another account</button>
        </p>
      </form>
      <p id="may">It will be able to:</p>
      <ul class="scopes" aria-labelledby="may">
        ${scopes.map((scope) => html`<li>${scopeWords[scope]}</li>`)}
      </ul>
      <p class="muted">
        You will be sent back to <strong>${host}</strong>. You can end this access at any time in your
        settings.
      </p>
      <div class="actions">
        <form method="post" action="${base}/deny"><button class="quiet wide">Deny</button></form>
        <form method="post" action="${base}/allow"><button class="wide">Allow</button></form>
      </div>`,
  );
}
