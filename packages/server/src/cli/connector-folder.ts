import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Connector, FileReader } from '@inlay/connectors/kit';
import { StartupError } from '#domain/startup-error';

/** What the connector commands touch outside themselves. */
export interface ConnectorDeps {
  /** The folder of connectors, `packages/connectors/src/`. */
  readonly folder: URL;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  readonly print: (text: string) => void;
}

/** Files on this machine's disk. */
export const disk: FileReader = {
  read: (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined),
  list: (folder) => (existsSync(folder) ? readdirSync(folder) : []),
};

/** The slugs that have a folder, in the catalogue or not yet. */
export function slugsIn(folder: URL): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'kit')
    .map((entry) => entry.name)
    .toSorted();
}

/**
 * Loads `<slug>/<slug>.ts`, so that a connector works here before the catalogue names it.
 *
 * @throws StartupError when there is no such file or it exports no connector of that slug.
 */
export async function loadConnector(folder: URL, slug: string): Promise<Connector> {
  const file = new URL(`${slug}/${slug}.ts`, folder);
  if (!/^[a-z][a-z0-9_-]*$/.test(slug) || !existsSync(file)) {
    const known = slugsIn(folder).map((name) => `"${name}"`);
    throw new StartupError(`There is no connector "${slug}". There are ${known.join(', ')}.`);
  }
  const module = (await import(file.href)) as Record<string, unknown>;
  const found = Object.values(module).find((value) => isConnector(value, slug));
  if (found !== undefined) return found as Connector;
  throw new StartupError(`${slug}/${slug}.ts exports no connector with the slug "${slug}".`);
}

function isConnector(value: unknown, slug: string): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'slug' in value &&
    'actions' in value &&
    value.slug === slug
  );
}
