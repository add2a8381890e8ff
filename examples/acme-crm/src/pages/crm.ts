import type { FastifyInstance } from 'fastify';
import type { Clock } from '../clock.ts';
import { type Person, signIn } from '../people.ts';
import { type CrmRecord, latestRecords } from '../records.ts';
import type { Store } from '../store.ts';
import { isForeignPost, personOfCookies, signBrowserIn, signBrowserOut } from './browser-session.ts';
import { developerPages } from './developers.ts';
import { html, type Html } from './html.ts';
import { appPage, cardPage, pageHeaders } from './layout.ts';
import { settingsPages } from './settings.ts';
import { signInPage } from './sign-in.ts';
import { icon, styleSheet } from './style.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on pages behind the sign-in. */
    person: Person;
  }
}

const shown = 200;

/** The CRM as people see it: sign in, look at contacts and deals, manage keys and apps. */
export function crmPages(
  app: FastifyInstance,
  deps: { store: Store; clock: Clock; publicUrl: string },
): void {
  const { store } = deps;

  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(pageHeaders());
    if (!isForeignPost(request)) return undefined;
    const page = cardPage(
      'Refused',
      html`<h1>Refused</h1>
        <p>This form was sent from another site.</p>`,
    );
    return reply.code(403).type('text/html').send(page);
  });

  app.get('/assets/acme.css', async (_request, reply) =>
    reply.type('text/css').header('cache-control', 'max-age=300').send(styleSheet),
  );
  app.get('/assets/icon.svg', async (_request, reply) =>
    reply.type('image/svg+xml').header('cache-control', 'max-age=86400').send(icon),
  );

  app.get<{ Querystring: { return_to?: string } }>('/', async (request, reply) => {
    const returnTo = ownPath(request.query.return_to);
    if (personOfCookies(deps, request.headers.cookie) !== undefined) return reply.redirect(returnTo, 303);
    return reply.type('text/html').send(signInPage({ action: '/sign-in', returnTo }));
  });

  app.post<{ Body: URLSearchParams }>('/sign-in', async (request, reply) => {
    const email = request.body.get('email') ?? '';
    const returnTo = ownPath(request.body.get('return_to'));
    const person = signIn(store, email, request.body.get('password') ?? '');
    if (person === undefined) {
      const page = signInPage({ action: '/sign-in', returnTo, email, error: 'Email or password is wrong.' });
      return reply.code(401).type('text/html').send(page);
    }
    signBrowserIn(deps, reply, person);
    return reply.redirect(returnTo, 303);
  });

  app.post('/sign-out', async (request, reply) => {
    signBrowserOut(deps, request, reply);
    return reply.redirect('/', 303);
  });

  void app.register(async (inner) => {
    inner.decorateRequest('person');
    inner.addHook('onRequest', async (request, reply) => {
      const person = personOfCookies(deps, request.headers.cookie);
      if (person === undefined) return reply.redirect(`/?return_to=${encodeURIComponent(request.url)}`, 303);
      request.person = person;
      return undefined;
    });

    inner.get('/app/contacts', async ({ person }, reply) => {
      const rows = latestRecords(store, person.company_id, 'contact', shown);
      const content = html`<h1>Contacts</h1>
        ${table(rows, 'No contacts yet.', ['Name', 'Email', 'Title', 'Status', 'Added'], (contact) => [
          html`<strong>${text(contact['name'])}</strong>`,
          text(contact['email']),
          text(contact['title']),
          html`<span class="tag">${text(contact['status'])}</span>`,
          day(contact.created_at),
        ])}`;
      return reply
        .type('text/html')
        .send(appPage({ title: 'Contacts', path: '/app/contacts', person, content }));
    });

    inner.get('/app/deals', async ({ person }, reply) => {
      const rows = latestRecords(store, person.company_id, 'deal', shown);
      const content = html`<h1>Deals</h1>
        ${table(rows, 'No deals yet.', ['Name', 'Amount', 'Stage', 'Added'], (deal) => [
          html`<strong>${text(deal['name'])}</strong>`,
          `${Number(deal['amount']).toLocaleString('en')} ${text(deal['currency'])}`,
          html`<span class="tag">${text(deal['stage'])}</span>`,
          day(deal.created_at),
        ])}`;
      return reply.type('text/html').send(appPage({ title: 'Deals', path: '/app/deals', person, content }));
    });

    settingsPages(inner, deps);
    developerPages(inner, deps);
  });
}

/** A path on this site, so that a sign-in link cannot send people elsewhere. */
function ownPath(value: string | null | undefined): string {
  return typeof value === 'string' && /^\/(app|developers)(\/[\w/-]*)?$/.test(value)
    ? value
    : '/app/contacts';
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function day(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;
}

function table(
  rows: readonly CrmRecord[],
  emptyText: string,
  heads: readonly string[],
  cells: (row: CrmRecord) => readonly (Html | string)[],
): Html {
  if (rows.length === 0) return html`<p class="panel muted">${emptyText}</p>`;
  return html`<div class="panel scroll" role="region" aria-label="Table" tabindex="0">
      <table>
        <thead>
          <tr>
            ${heads.map((head) => html`<th scope="col">${head}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) =>
              html`<tr>
                ${cells(row).map((cell) => html`<td>${cell}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${rows.length === shown && html`<p class="muted">The newest ${shown} are shown.</p>`}`;
}
