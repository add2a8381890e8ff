import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { exclusively } from './lock.mjs';
import { checkout, say, Stop } from './paths.mjs';
import { capture } from './run.mjs';

const ui = path.join(checkout, 'packages/ui');
const stampFile = path.join(ui, 'dist/.inlay-sources');
const notSources = new Set(['dist', 'node_modules', '.vite']);

/** Builds the dashboard and the portal unless the built files already come from the present sources. */
export async function ensureUi(node) {
  if (!existsSync(path.join(ui, 'vite.config.ts')) || isFresh()) return;
  await exclusively('build-ui', async () => {
    if (isFresh()) return;
    say('Building the dashboard and the portal...');
    const sources = sourcesHash();
    const vite = path.join(checkout, 'node_modules/vite/bin/vite.js');
    const { code, output } = await capture(node, [vite, 'build', '--logLevel', 'warn'], { cwd: ui });
    if (code !== 0) throw new Stop(`The user interface could not be built:\n\n${output.trim()}`);
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
