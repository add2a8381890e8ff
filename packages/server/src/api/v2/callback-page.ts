import { escapeHtml } from '#domain/escape-html';
import type { CallbackHint, CallbackOutcome } from '#connections/index';

/**
 * The page a browser lands on after a provider's consent page. Plain HTML from the server; the one script closes
 * the window or goes back, and without it a link does. Everything that came from outside is escaped.
 */
export function callbackPage(outcome: CallbackOutcome): string {
  const isConnected = outcome.kind === 'connected';
  const title = titleOf(outcome);
  const body = isConnected ? connectedBody(outcome) : failedBody(outcome);
  const back =
    outcome.returnTo === undefined
      ? '<p class="quiet">You can close this window.</p>'
      : `<p><a class="button" id="back" href="${escapeHtml(outcome.returnTo)}">Back</a></p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="stylesheet" href="/api/v1/callback.css">
<script src="/api/v1/callback.js" defer></script>
</head>
<body data-outcome="${outcome.kind}">
<main>
<p class="mark ${isConnected ? 'good' : 'bad'}" aria-hidden="true">${isConnected ? '✓' : '!'}</p>
<h1>${escapeHtml(title)}</h1>
${body}
${back}
</main>
</body>
</html>
`;
}

function titleOf(outcome: CallbackOutcome): string {
  if (outcome.kind === 'connected') return `${outcome.app} is connected`;
  // Of a state that is unknown or used up nothing is known, not even that the app is not connected.
  return outcome.app === undefined ? 'This link does not work any more' : `${outcome.app} was not connected`;
}

function connectedBody(outcome: Extract<CallbackOutcome, { kind: 'connected' }>): string {
  const who =
    outcome.identifier === undefined
      ? ''
      : `<p>Signed in as <strong>${escapeHtml(outcome.identifier)}</strong>.</p>`;
  const missing =
    outcome.missingScopes.length === 0
      ? ''
      : `<p role="status">These permissions were not granted, so some things will not work: ${list(outcome.missingScopes)}</p>`;
  const whose = `<p>${escapeHtml(outcome.organization)} can now use it for <strong>${escapeHtml(outcome.account)}</strong>.</p>`;
  const replaced =
    outcome.replacedIdentifier === undefined
      ? ''
      : `<p role="status">Before, <strong>${escapeHtml(outcome.replacedIdentifier)}</strong> was connected.</p>`;
  return who + replaced + whose + missing;
}

function failedBody(outcome: Extract<CallbackOutcome, { kind: 'failed' }>): string {
  const said =
    outcome.providerError === undefined
      ? ''
      : `<p>${escapeHtml(outcome.app ?? 'The app')} said:</p><blockquote>${escapeHtml(outcome.providerError)}</blockquote>`;
  const hint =
    outcome.hint === undefined
      ? ''
      : `<details><summary>For the developer of this integration</summary>${hintText(outcome.hint)}</details>`;
  return `<p role="alert">${escapeHtml(outcome.message)}</p>${said}${hint}`;
}

function hintText(hint: CallbackHint): string {
  return hint.kind === 'scopes'
    ? `<p>These permissions were requested. Compare them with the ones that your app has at the provider:</p>${list(hint.requested)}`
    : `<p>Register exactly this redirect URL at the provider, and compare client id and secret on the app's Settings page:</p><p><code>${escapeHtml(hint.redirectUri)}</code></p>`;
}

function list(items: readonly string[]): string {
  return `<ul>${items.map((item) => `<li><code>${escapeHtml(item)}</code></li>`).join('')}</ul>`;
}

/** A window that was opened for the authorization closes itself; any other goes back to the page it came from. */
export const callbackScript = `'use strict';
if (document.body.dataset.outcome === 'connected') {
  const back = document.getElementById('back');
  if (window.opener || !back) window.close();
  if (back) setTimeout(() => location.replace(back.href), window.opener ? 700 : 0);
}
`;

export const callbackStyle = `:root {
  color-scheme: light dark;
  --ink: light-dark(#1a1c23, #eceef4);
  --quiet: light-dark(#565b6b, #a9afbf);
  --page: light-dark(#f6f7f9, #14161b);
  --card: light-dark(#fff, #1e2128);
  --line: light-dark(#dfe2e8, #343944);
  --good: light-dark(#116a3c, #6fdc9f);
  --bad: light-dark(#a5261b, #ff9d92);
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 16px;
  background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
}
main {
  width: 100%; max-width: 480px; padding: 32px 24px; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px; overflow-wrap: anywhere;
}
h1 { font-size: 20px; line-height: 1.3; margin: 0 0 12px; }
p { margin: 0 0 12px; }
main > :last-child { margin-bottom: 0; }
.mark {
  width: 40px; height: 40px; display: grid; place-items: center; border: 2px solid; border-radius: 50%;
  font-weight: 700;
}
.good { color: var(--good); }
.bad { color: var(--bad); }
.quiet, summary { color: var(--quiet); }
blockquote { margin: 0 0 12px; padding: 8px 12px; border-left: 3px solid var(--line); }
ul { padding-left: 20px; }
summary { cursor: pointer; }
details { margin: 0 0 12px; }
.button {
  display: inline-block; padding: 10px 20px; border-radius: 8px; background: var(--ink); color: var(--card);
  text-decoration: none; font-weight: 600;
}
:focus-visible { outline: 3px solid light-dark(#2b5fd9, #8fb3ff); outline-offset: 2px; }
`;
