import { demoLogins, demoPassword } from '../seed.ts';
import { html, type Html } from './html.ts';
import { cardPage, problem } from './layout.ts';

interface SignInView {
  action: string;
  /** The app that waits behind the sign-in, if any. */
  appName?: string | undefined;
  email?: string | undefined;
  error?: string | undefined;
  /** Where to go afterwards; a path of this site. */
  returnTo?: string | undefined;
}

/** The sign-in page, for the CRM itself and on the way to an app's consent page. */
export function signInPage(view: SignInView): string {
  const lead: Html =
    view.appName === undefined
      ? html`<p class="muted">Welcome back.</p>`
      : html`<p class="muted">to connect <strong>${view.appName}</strong></p>`;
  return cardPage(
    'Sign in',
    html`<h1>Sign in to Acme CRM</h1>
      ${lead} ${problem(view.error)}
      <form method="post" action="${view.action}">
        ${view.returnTo !== undefined && html`<input type="hidden" name="return_to" value="${view.returnTo}" />`}
        <div class="field">
          <label for="email">Email</label>
          <input
            id="email"
            name="email"
            type="email"
            value="${view.email ?? ''}"
            autocomplete="username"
            required
            autofocus
          />
        </div>
        <div class="field">
          <label for="password">Password</label>
          <input id="password" name="password" type="password" autocomplete="current-password" required />
        </div>
        <button class="wide">Sign in</button>
      </form>
      <p class="hint">
        Demo sign-ins, password <code>${demoPassword}</code>:<br />
        ${demoLogins.map((email) => html`<code>${email}</code><br />`)}
      </p>`,
  );
}
