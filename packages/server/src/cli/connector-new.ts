import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import type { ConnectorDeps } from '#cli/connector-folder';
import { skeleton } from '#cli/connector-skeleton';
import { StartupError } from '#domain/startup-error';

/** `inlay connector new <slug>`: a connector that loads, type-checks and says by `check` what is left to do. */
export async function newConnector(
  [slug]: readonly string[],
  { folder, print }: Pick<ConnectorDeps, 'folder' | 'print'>,
): Promise<number> {
  if (slug === undefined || !/^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$/.test(slug) || slug === 'kit') {
    throw new StartupError(
      'Give a slug of lower-case words and digits joined by - or _, such as "acme-crm".',
    );
  }
  const home = new URL(`${slug}/`, folder);
  if (existsSync(home)) throw new StartupError(`${slug}/ exists already.`);
  const files = skeleton(slug);
  await mkdir(new URL('recordings/', home), { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(new URL(name, home), content);
  print(`Wrote packages/connectors/src/${slug}/: ${Object.keys(files).join(', ')}.`);
  print(
    `Next: read docs/connectors.md, add it to src/index.ts, and run "npm run inlay connector check ${slug}".`,
  );
  return 0;
}
