import { html } from './html.ts';
import { cardPage } from './layout.ts';

interface OAuthError {
  error: string;
  description?: string | undefined;
}

const words: Record<string, string> = {
  invalid_client: 'Acme CRM does not know the app that sent you here. Its client ID may be wrong.',
  invalid_redirect_uri:
    'The app wants you sent back to an address that is not registered for it. The redirect URI must match exactly.',
  invalid_request: 'The app that sent you here asked in a way Acme CRM cannot answer.',
  server_error: 'Something went wrong on our side. Please try again.',
};

/** The page a person sees when an authorization cannot go back to the app. */
export function oauthErrorPage({ error, description }: OAuthError): string {
  const isStale = /session|expired/.test(description ?? '') && error === 'invalid_request';
  const text = isStale ? 'This page has expired. Go back to the app and connect again.' : words[error];
  return cardPage(
    'Cannot connect',
    html`<h1>This app cannot be connected</h1>
      <p>${text ?? 'Acme CRM refused the request of the app that sent you here.'}</p>
      <dl class="facts">
        <dt>Error</dt>
        <dd><code>${error}</code></dd>
        ${
          description !== undefined &&
          html`<dt>Details</dt>
            <dd>${description}</dd>`
        }
      </dl>
      <p class="muted">
        If you build this app: check it in the <a href="/developers">developer console</a>.
      </p>`,
  );
}
