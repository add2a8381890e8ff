import { existsSync } from 'node:fs';
import path from 'node:path';

/** The npm that started us, if one did: it is the one the user has set up. */
export function npmCommand() {
  const starter = process.env['npm_execpath'];
  if (starter !== undefined && path.basename(starter) === 'npm-cli.js' && existsSync(starter)) {
    return [process.execPath, starter];
  }
  return ['npm'];
}
