/** The catalogue: every connector this build ships. */
import { acmeCrm } from '#acme-crm/acme-crm';
import { gong } from '#gong/gong';
import type { Connector } from '#kit/index';

const catalogue: readonly Connector[] = [acmeCrm, gong];

/** Every connector by slug. */
export const connectors: ReadonlyMap<string, Connector> = new Map(
  catalogue.map((connector) => [connector.slug, connector]),
);

/** The connector of a slug, if this build has one. */
export function findConnector(slug: string): Connector | undefined {
  return connectors.get(slug);
}

/** All connectors, in the order of their names. */
export function listConnectors(): readonly Connector[] {
  return [...connectors.values()].toSorted((a, b) => a.name.localeCompare(b.name));
}
