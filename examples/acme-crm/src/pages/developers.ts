import type { FastifyInstance } from 'fastify';
import type { Clock } from '../clock.ts';
import {
  type ClientSpec,
  clientSpec,
  companyClients,
  deleteClient,
  findClient,
  newClientCredentials,
  putClient,
  type RegisteredClient,
} from '../oauth/clients.ts';
import { allScopes, scopeWords } from '../scopes.ts';
import type { Store } from '../store.ts';
import { html, type Html } from './html.ts';
import { appPage, problem } from './layout.ts';

interface FormView {
  name: string;
  redirectUris: string;
  scopes: readonly string[];
  requirePkce: boolean;
}

type AppSettings = Required<Omit<ClientSpec, 'client_id' | 'client_secret' | 'company_id'>>;
type Parsed = { ok: true; spec: AppSettings } | { ok: false; error: string };

const blank: FormView = { name: '', redirectUris: '', scopes: allScopes, requirePkce: false };

/** The developer console: register an OAuth app, copy its client id and secret, change it, delete it. */
export function developerPages(
  app: FastifyInstance,
  deps: { store: Store; clock: Clock; publicUrl: string },
): void {
  const { store, publicUrl } = deps;

  app.get('/developers', async ({ person }, reply) => {
    const apps = companyClients(store, person.company_id);
    const content = html`<div class="row">
        <h1>Developer console</h1>
        <a class="button" href="/developers/apps/new">Create an app</a>
      </div>
      <p class="muted">
        Apps connect to the Acme CRM of other people by OAuth 2.0. The API is described in
        <a href="/openapi.json">openapi.json</a>.
      </p>
      ${apps.length === 0 && html`<p class="panel muted">No apps yet.</p>`}
      ${apps.map(
        (client) =>
          html`<div class="panel">
            <a href="/developers/apps/${client.clientId}"><strong>${client.name}</strong></a
            ><br />
            <small><code>${client.clientId}</code></small>
          </div>`,
      )}`;
    return reply
      .type('text/html')
      .send(appPage({ title: 'Developers', path: '/developers', person, content }));
  });

  app.get('/developers/apps/new', async ({ person }, reply) => {
    const content = html`<h1>Create an app</h1>
      ${appForm('/developers/apps', blank, 'Create app')}`;
    return reply
      .type('text/html')
      .send(appPage({ title: 'Create an app', path: '/developers', person, content }));
  });

  app.post<{ Body: URLSearchParams }>('/developers/apps', async ({ person, body }, reply) => {
    const parsed = parseForm(body);
    if (!parsed.ok) {
      const content = html`<h1>Create an app</h1>
        ${appForm('/developers/apps', readForm(body), 'Create app', parsed.error)}`;
      const page = appPage({ title: 'Create an app', path: '/developers', person, content });
      return reply.code(422).type('text/html').send(page);
    }
    const credentials = newClientCredentials();
    putClient(deps, { ...parsed.spec, ...credentials, company_id: person.company_id });
    return reply.redirect(`/developers/apps/${credentials.client_id}`, 303);
  });

  void app.register(async (inner) => {
    inner.addHook('preHandler', async (request, reply) => {
      const { id } = request.params as { id: string };
      if (findClient(store, id)?.companyId === request.person.company_id) return undefined;
      const content = html`<h1>No such app</h1>
        <p><a href="/developers">All apps</a></p>`;
      const page = appPage({ title: 'No such app', path: '/developers', person: request.person, content });
      return reply.code(404).type('text/html').send(page);
    });

    inner.get<{ Params: { id: string } }>('/developers/apps/:id', async ({ person, params }, reply) => {
      const client = findClient(store, params.id);
      if (client === undefined) return reply.redirect('/developers', 303);
      const content = appDetails(publicUrl, client, {
        ...client,
        redirectUris: client.redirectUris.join('\n'),
      });
      return reply
        .type('text/html')
        .send(appPage({ title: client.name, path: '/developers', person, content }));
    });

    inner.post<{ Params: { id: string }; Body: URLSearchParams }>(
      '/developers/apps/:id',
      async ({ person, params, body }, reply) => {
        const client = findClient(store, params.id);
        if (client === undefined) return reply.redirect('/developers', 303);
        const parsed = parseForm(body);
        if (!parsed.ok) {
          const content = appDetails(publicUrl, client, readForm(body), parsed.error);
          const page = appPage({ title: client.name, path: '/developers', person, content });
          return reply.code(422).type('text/html').send(page);
        }
        const credentials = { client_id: client.clientId, client_secret: client.secret };
        putClient(deps, { ...parsed.spec, ...credentials, company_id: person.company_id });
        return reply.redirect(`/developers/apps/${client.clientId}`, 303);
      },
    );

    inner.post<{ Params: { id: string } }>(
      '/developers/apps/:id/delete',
      async ({ person, params }, reply) => {
        deleteClient(store, person.company_id, params.id);
        return reply.redirect('/developers', 303);
      },
    );
  });
}

function appDetails(publicUrl: string, client: RegisteredClient, form: FormView, error?: string): Html {
  return html`<h1>${client.name}</h1>
    <div class="panel">
      <dl class="facts">
        <dt>Client ID</dt>
        <dd><code id="client-id">${client.clientId}</code></dd>
        <dt>Client secret</dt>
        <dd><code id="client-secret">${client.secret}</code></dd>
        <dt>Authorization URL</dt>
        <dd><code>${publicUrl}/oauth/authorize</code></dd>
        <dt>Token URL</dt>
        <dd><code>${publicUrl}/oauth/token</code></dd>
      </dl>
    </div>
    <h2>Settings</h2>
    ${appForm(`/developers/apps/${client.clientId}`, form, 'Save', error)}
    <form method="post" action="/developers/apps/${client.clientId}/delete">
      <button class="danger">Delete this app</button>
    </form>`;
}

function appForm(action: string, form: FormView, button: string, error?: string): Html {
  return html`<form class="panel" method="post" action="${action}">
    ${problem(error)}
    <div class="field">
      <label for="name">App name</label>
      <input id="name" name="name" type="text" value="${form.name}" maxlength="100" required />
      <small>People see it when they are asked for access.</small>
    </div>
    ${redirectUriFields(form.redirectUris)}
    <fieldset>
      <legend>Scopes it may ask for</legend>
      ${allScopes.map(
        (scope) =>
          html`<label class="check">
            <input
              type="checkbox"
              name="scopes"
              value="${scope}"
              ${form.scopes.includes(scope) && 'checked'}
            />
            <span>${scopeWords[scope]} <code>${scope}</code></span>
          </label>`,
      )}
    </fieldset>
    <label class="check">
      <input type="checkbox" name="require_pkce" value="1" ${form.requirePkce && 'checked'} />
      <span>Refuse authorization requests without PKCE</span>
    </label>
    <p></p>
    <button>${button}</button>
  </form>`;
}

/** One input for each registered address and an empty one, so that no script is needed to add one. */
function redirectUriFields(redirectUris: string): Html {
  const values = redirectUris.split('\n').filter((value) => value !== '');
  return html`<fieldset>
    <legend>Redirect URIs</legend>
    ${[...values, ''].map(
      (value, index) =>
        html`<div class="field">
          <label for="redirect-uri-${index}">Redirect URI ${index > 0 && index + 1}</label>
          <input
            id="redirect-uri-${index}"
            name="redirect_uris"
            type="url"
            value="${value}"
            ${index === 0 && 'required'}
          />
        </div>`,
    )}
    <small>Copy the callback URL of your platform exactly. Leave a line empty to remove it.</small>
  </fieldset>`;
}

function readForm(body: URLSearchParams): FormView {
  return {
    name: body.get('name') ?? '',
    redirectUris: body.getAll('redirect_uris').join('\n'),
    scopes: body.getAll('scopes'),
    requirePkce: body.has('require_pkce'),
  };
}

function parseForm(body: URLSearchParams): Parsed {
  const parsed = clientSpec
    .omit({ client_id: true, client_secret: true, company_id: true })
    .required()
    .safeParse({
      name: body.get('name') ?? '',
      redirect_uris: body
        .getAll('redirect_uris')
        .map((value) => value.trim())
        .filter((value) => value !== ''),
      scopes: body.getAll('scopes'),
      require_pkce: body.has('require_pkce'),
    });
  if (parsed.success) return { ok: true, spec: parsed.data };
  const [issue] = parsed.error.issues;
  const labels: Record<string, string> = {
    name: 'App name',
    redirect_uris: 'Redirect URI',
    scopes: 'Scopes',
  };
  return {
    ok: false,
    error: `${labels[String(issue?.path[0])] ?? 'Form'}: ${issue?.message ?? 'is not valid'}`,
  };
}
