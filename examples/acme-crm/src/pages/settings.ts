import type { FastifyInstance } from 'fastify';
import type { Clock } from '../clock.ts';
import { createApiKey, deleteApiKey, listApiKeys, type Person } from '../people.ts';
import { connectedApps, disconnectApp } from '../oauth/grants.ts';
import type { Store } from '../store.ts';
import { html } from './html.ts';
import { appPage } from './layout.ts';

/** The account settings: apps the signed-in person has connected, and API keys. */
export function settingsPages(app: FastifyInstance, deps: { store: Store; clock: Clock }): void {
  const { store } = deps;

  app.get('/app/settings', async ({ person }, reply) => reply.type('text/html').send(view(store, person)));

  app.post<{ Body: URLSearchParams }>('/app/settings/keys', async ({ person, body }, reply) => {
    const name = body.get('name')?.trim().slice(0, 60) || 'API key';
    const key = createApiKey(deps, { personId: person.id, name });
    return reply.type('text/html').send(view(store, person, key));
  });

  app.post<{ Params: { id: string } }>('/app/settings/keys/:id/delete', async ({ person, params }, reply) => {
    deleteApiKey(store, person.id, params.id);
    return reply.redirect('/app/settings', 303);
  });

  app.post<{ Params: { id: string } }>(
    '/app/settings/apps/:id/disconnect',
    async ({ person, params }, reply) => {
      disconnectApp(store, person.id, params.id);
      return reply.redirect('/app/settings', 303);
    },
  );
}

function view(store: Store, person: Person, newKey?: string): string {
  const keys = listApiKeys(store, person.id);
  const apps = connectedApps(store, person.id);
  const content = html`<h1>Settings</h1>
    <h2>Connected apps</h2>
    ${apps.length === 0 && html`<p class="muted">You have not connected any app.</p>`}
    ${apps.map(
      (app) =>
        html`<div class="panel row">
          <div>
            <strong>${app.name}</strong><br /><small
              >connected ${app.connectedAt.toISOString().slice(0, 10)}</small
            >
          </div>
          <form method="post" action="/app/settings/apps/${app.grantId}/disconnect">
            <button class="danger" aria-label="Disconnect ${app.name}">Disconnect</button>
          </form>
        </div>`,
    )}
    <h2>API keys</h2>
    <p class="muted">
      A program that sends a key in the <code>X-Acme-Key</code> header may do in the API what you may do here.
    </p>
    ${
      newKey !== undefined &&
      html`<div class="panel" role="status">
        <h3>Your new key</h3>
        <p><code id="new-key">${newKey}</code></p>
        <p class="muted">Copy it now. It is not shown again.</p>
      </div>`
    }
    ${keys.map(
      (key) =>
        html`<div class="panel row">
          <div>
            <strong>${key.name}</strong><br /><small
              >ends in ${key.preview} · made ${key.created_at.slice(0, 10)}</small
            >
          </div>
          <form method="post" action="/app/settings/keys/${key.id}/delete">
            <button class="danger" aria-label="Delete ${key.name}">Delete</button>
          </form>
        </div>`,
    )}
    <form class="panel" method="post" action="/app/settings/keys">
      <div class="field">
        <label for="name">Name of the new key</label>
        <input id="name" name="name" type="text" maxlength="60" placeholder="What is it for?" />
      </div>
      <button>Make a key</button>
    </form>`;
  return appPage({ title: 'Settings', path: '/app/settings', person, content });
}
