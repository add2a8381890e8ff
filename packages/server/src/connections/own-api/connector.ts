import { connector, type Connector, get } from '@inlay/connectors/kit';
import type { ConnectorCatalogue } from '#connections/deps';

/** The organisation's own app, as the wire calls it. */
export const ownAppSlug = 'custom';

/** The organisation's own API as an app: it has a free request, and whatever custom actions are added. */
export function ownConnector(baseUrl: string): Connector {
  return connector({
    home: import.meta.url,
    slug: ownAppSlug,
    name: 'My App',
    description: "The organisation's own API.",
    categories: [],
    apiDocs: '',
    baseUrl,
    auth: {},
    http: { limits: {} },
    check: { request: get('/'), identifier: () => undefined },
    actions: {},
  });
}

/** An app of the catalogue, or the organisation's own, for what needs no address. */
export function describedApp(connectors: ConnectorCatalogue, slug: string): Connector | undefined {
  return connectors.get(slug) ?? (slug === ownAppSlug ? ownConnector('https://own.invalid') : undefined);
}
