import type { Store } from '../store.ts';
import { revokeGrant } from './adapter.ts';

/** An app that a person allowed in. */
export interface ConnectedApp {
  grantId: string;
  name: string;
  connectedAt: Date;
}

interface Row {
  id: string;
  name: string;
  iat: number;
}

/** The apps a person has connected, newest first. A grant no app picked up yet counts too. */
export function connectedApps(store: Store, personId: string): ConnectedApp[] {
  const rows = store.all<Row>(
    `select g.id, c.metadata ->> 'client_name' as name, g.payload ->> 'iat' as iat
     from oauth_artifact g join oauth_client c on c.client_id = g.payload ->> 'clientId'
     where g.model = 'Grant' and g.payload ->> 'accountId' = ? order by iat desc, g.id`,
    personId,
  );
  return rows.map(({ id, name, iat }) => ({ grantId: id, name, connectedAt: new Date(iat * 1000) }));
}

/** Ends an app's access, if the person is the one who gave it. */
export function disconnectApp(store: Store, personId: string, grantId: string): void {
  const isTheirs = connectedApps(store, personId).some((app) => app.grantId === grantId);
  if (isTheirs) revokeGrant(store, grantId);
}
