import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository, wherever the command was typed. */
export const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** Everything written besides node_modules and the built UI goes here. */
export function dataDirectory() {
  const directory = path.resolve(checkout, process.env['INLAY_DATA_DIR'] || '.inlay');
  try {
    makeFolder(directory);
  } catch (error) {
    throw new Stop(
      `The data folder "${directory}" cannot be made (${error.code}). Set INLAY_DATA_DIR to a folder that you can write to.`,
    );
  }
  return directory;
}

/** Not `recursive`: below /proc, where nothing can be made, Node would try for ever. */
function makeFolder(folder) {
  if (existsSync(folder)) return;
  if (!existsSync(path.dirname(folder))) makeFolder(path.dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o711 });
  } catch (error) {
    if (error.code !== 'EEXIST') throw error; // else: another launch was faster
  }
}

/** A known reason not to go on: its text is for the user, without a stack. */
export class Stop extends Error {}

/** Progress and problems go to stderr, so that stdout stays clean for `--json`. */
export function say(text) {
  process.stderr.write(`${text}\n`);
}
