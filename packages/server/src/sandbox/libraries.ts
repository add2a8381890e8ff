import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'rolldown';

/** What code may load by name, as texts of scripts: each assigns what the module exports to `library`. */
export type GuestLibraries = Readonly<Record<string, string>>;

const require = createRequire(import.meta.url);
const cacheFolder = join(import.meta.dirname, '..', '..', 'dist', 'sandbox');

/** Name for `require` -> the npm package and how its exports are taken over. */
const modules: Readonly<Record<string, { readonly from: string; readonly exports: 'all' | 'default' }>> = {
  axios: { from: 'axios', exports: 'default' },
  buffer: { from: 'buffer/index.js', exports: 'default' },
  cheerio: { from: 'cheerio', exports: 'all' },
  'fast-xml-parser': { from: 'fast-xml-parser', exports: 'all' },
  'fuse.js': { from: 'fuse.js', exports: 'default' },
  mime: { from: 'mime', exports: 'default' },
  'number-to-words': { from: 'number-to-words', exports: 'default' },
  'structured-clone': { from: '@ungap/structured-clone', exports: 'default' },
  url: { from: 'url/url.js', exports: 'default' },
  uuid: { from: 'uuid', exports: 'all' },
};

let known: Promise<GuestLibraries> | undefined;

/**
 * The libraries of customer code, bundled from the pinned packages. A bundle is kept in `dist/` under a hash of what
 * it is made of, so it is made once for each installation (some 2 s) and read afterwards.
 */
export function guestLibraries(): Promise<GuestLibraries> {
  known ??= loadAll().catch((error: unknown) => {
    known = undefined;
    throw error;
  });
  return known;
}

async function loadAll(): Promise<GuestLibraries> {
  const names = Object.keys(modules);
  const versions = names.map((name) => versionOf(modules[name]!.from));
  const self = readFileSync(import.meta.filename, 'utf8');
  const key = createHash('sha256')
    .update(JSON.stringify([versions, self]))
    .digest('hex')
    .slice(0, 16);
  const file = join(cacheFolder, `libraries-${key}.json`);
  const stored = readStored(file);
  if (stored !== undefined) return stored;
  const made = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await bundle(name)] as const)),
  );
  store(file, JSON.stringify(made));
  return made;
}

function readStored(file: string): GuestLibraries | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as GuestLibraries;
  } catch {
    return undefined; // not made yet, or half of it was lost: made again
  }
}

/** Whole or not at all: two processes may start at once. Where nothing may be written it is made at each start. */
function store(file: string, text: string): void {
  try {
    mkdirSync(cacheFolder, { recursive: true });
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, text);
    renameSync(draft, file);
  } catch {
    // read-only installation
  }
}

async function bundle(name: string): Promise<string> {
  const { rolldown } = await import('rolldown');
  const { from, exports } = modules[name]!;
  const entry =
    exports === 'all'
      ? `export * from ${JSON.stringify(from)};`
      : `import all from ${JSON.stringify(from)}; export default all;`;
  const build = await rolldown({
    input: entryId,
    platform: 'browser',
    logLevel: 'silent',
    plugins: [entryPlugin(entry)],
  });
  const { output } = await build.generate({
    format: 'iife',
    name: 'library',
    exports: 'named',
    minify: true,
  });
  await build.close();
  return exports === 'all' ? output[0].code : `${output[0].code}\nlibrary = library.default;`;
}

const entryId = '\0entry';

function entryPlugin(text: string): Plugin {
  return {
    name: 'entry',
    resolveId(id, importer) {
      if (id === entryId) return id;
      return importer === entryId ? this.resolve(id, import.meta.filename) : undefined;
    },
    load: (id) => (id === entryId ? text : undefined),
  };
}

/** `name@version` of an installed package, found by walking up from its entry. */
function versionOf(request: string): string {
  for (let folder = dirname(require.resolve(request)); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    const read = readStored(file) as { name?: string; version?: string } | undefined;
    if (read?.version !== undefined) return `${read.name}@${read.version}`;
    if (folder === dirname(folder)) throw new Error(`The package of "${request}" has no version.`);
  }
}

export interface PythonRuntime {
  /** A function of `WebAssembly` that leaves `loadMicroPython` on the global object. */
  readonly script: string;
  readonly wasm: Buffer;
}

/**
 * MicroPython's WebAssembly build. Its loader is an ES module made for browsers; a script that hands the compiled
 * module in is made of it here, and any new version that looks different is refused rather than half understood.
 *
 * @throws Error when the installed version is not the one this was written for
 */
export function pythonRuntime(): PythonRuntime {
  const folder = dirname(require.resolve('@micropython/micropython-webassembly-pyscript'));
  let script = readFileSync(join(folder, 'micropython.mjs'), 'utf8');
  const replace = (from: string, to: string): void => {
    if (!script.includes(from)) throw new Error(`MicroPython's loader has changed: "${from}" is not there.`);
    script = script.replaceAll(from, to);
  };
  replace('let Module={locateFile:', 'let Module={instantiateWasm:options.instantiateWasm,locateFile:');
  replace('export default _createMicroPythonModule;', '');
  replace('export async function loadMicroPython', 'async function loadMicroPython');
  replace('globalThis.WebAssembly', 'WebAssembly');
  replace('import.meta.url', '"https://python.invalid/"');
  return {
    script: `(async (WebAssembly) => {${script}\n})`,
    wasm: readFileSync(join(folder, 'micropython.wasm')),
  };
}
