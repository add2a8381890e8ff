import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { exclusively } from './lock.mjs';
import { checkout, say, Stop } from './paths.mjs';
import { capture } from './run.mjs';

const ui = path.join(checkout, 'packages/ui');
const stampFile = path.join(ui, 'dist/.inlay-sources');
const notSources = new Set(['dist', 'node_modules', '.vite']);

/** Builds the dashboard and the portal unless the built files already come from the present sources. */
export async function ensureUi(node) {
  const configs = existsSync(ui) ? readdirSync(ui).filter((name) => /^vite\..*config\.ts$/.test(name)) : [];
  if (configs.length === 0 || isFresh()) return;
  await exclusively('build-ui', async () => {
    if (isFresh()) return;
    say('Building the dashboard and the portal...');
    const sources = sourcesHash();
    const vite = path.join(checkout, 'node_modules/vite/bin/vite.js');
    const builds = await Promise.all(
      configs.map((config) =>
        capture(node, [vite, 'build', '--config', config, '--logLevel', 'warn'], { cwd: ui }),
      ),
    );
    const failed = builds.find(({ code }) => code !== 0);
    if (failed !== undefined)
      throw new Stop(`The user interface could not be built:\n\n${failed.output.trim()}`);
    mkdirSync(path.dirname(stampFile), { recursive: true });
    writeFileSync(stampFile, sources);
  });
}

function isFresh() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === sourcesHash();
}

function sourcesHash() {
  const hash = createHash('sha256').update(readFileSync(path.join(checkout, 'package-lock.json')));
  for (const file of filesUnder(ui))
    hash.update(path.relative(ui, file)).update('\0').update(readFileSync(file));
  return hash.digest('hex');
}

function filesUnder(directory) {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => !notSources.has(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const where = path.join(directory, entry.name);
      return entry.isDirectory() ? filesUnder(where) : [where];
    });
}
