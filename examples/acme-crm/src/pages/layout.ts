import type { Person } from '../people.ts';
import { html, type Html } from './html.ts';

const logo = html`<svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
  <rect width="32" height="32" rx="8" class="logo-tile" />
  <path d="M8 24 16 7l8 17h-4.2l-1.5-3.6h-4.6L12.2 24zm7-7h2l-1-2.6z" class="logo-mark" />
</svg>`;

const sections = [
  { path: '/app/contacts', label: 'Contacts' },
  { path: '/app/deals', label: 'Deals' },
  { path: '/app/settings', label: 'Settings' },
  { path: '/developers', label: 'Developers' },
];

/**
 * Headers of every page: no script at all, nothing loaded from elsewhere, no framing.
 *
 * @param formTargets - where forms may lead. Browsers apply `form-action` to the redirects after a form
 *   too, so the consent page must allow the app's own address, wherever that leads in turn.
 */
export function pageHeaders(formTargets = "'self'"): Record<string, string> {
  return {
    'content-security-policy':
      `default-src 'none'; style-src 'self'; img-src 'self'; form-action ${formTargets}; ` +
      `base-uri 'none'; frame-ancestors 'none'`,
    // Not `no-referrer`: with it browsers send `Origin: null` with our own forms, and we refuse those.
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  };
}

function document(title: string, body: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Acme CRM</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/acme.css" />
      </head>
      <body>
        ${body}
      </body>
    </html> `.markup;
}

/** A page with one thing to do: sign in, consent, an error. */
export function cardPage(title: string, content: Html): string {
  return document(
    title,
    html`<main class="card-page">
      <div class="brand">${logo}<span>Acme CRM</span></div>
      <div class="card">${content}</div>
    </main>`,
  );
}

/** A page of the CRM for somebody who is signed in. */
export function appPage(input: { title: string; path: string; person: Person; content: Html }): string {
  const { title, path, person, content } = input;
  return document(
    title,
    html`<a class="skip" href="#content">Skip to content</a>
      <header class="top">
        <a class="brand" href="/app/contacts">${logo}<span>Acme CRM</span></a>
        <nav aria-label="Main">
          ${sections.map(
            (section) =>
              html`<a href="${section.path}" ${path.startsWith(section.path) && html`aria-current="page"`}
                >${section.label}</a
              >`,
          )}
        </nav>
        <form class="who" method="post" action="/sign-out">
          <span><strong>${person.name}</strong><small>${person.company_name}</small></span>
          <button class="quiet">Sign out</button>
        </form>
      </header>
      <main id="content" class="content">${content}</main>`,
  );
}

/** A message above a form that says what was wrong. */
export function problem(text: string | undefined): Html | undefined {
  return text === undefined ? undefined : html`<p class="problem" role="alert">${text}</p>`;
}
