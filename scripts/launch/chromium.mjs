import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { say, Stop } from './paths.mjs';
import { capture } from './run.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const onMac = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** Finds a Chromium for the browser tests; as root on Debian and its kin it installs the system's. */
export async function ensureChromium() {
  const found = findChromium();
  if (found !== undefined) return found;
  if (process.getuid?.() === 0 && findInPath('apt-get') !== undefined) {
    say('Installing Chromium for the browser tests (once)...');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await capture('apt-get', ['update', '-qq'], { env });
    const packages = ['chromium', 'fonts-liberation'];
    const result = await capture(
      'apt-get',
      ['install', '-y', '-qq', '--no-install-recommends', ...packages],
      { env },
    );
    const installed = findChromium();
    if (installed !== undefined) return installed;
    say(result.output.trim().split('\n').slice(-5).join('\n'));
  }
  throw new Stop(
    'The browser tests need Chromium, and none was found. Install it (Debian: apt-get install chromium; macOS: brew install --cask chromium), or set CHROMIUM to the path of one, and run npm test again.',
  );
}

function findChromium() {
  const named = process.env['CHROMIUM'];
  if (named) {
    if (isProgram(named)) return named;
    throw new Stop(`CHROMIUM names "${named}", which is not a program. Correct or unset it.`);
  }
  return names.map(findInPath).find((file) => file !== undefined) ?? onMac.find((file) => existsSync(file));
}

function findInPath(name) {
  return (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, name))
    .find(isProgram);
}

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not to be run: look on
  }
}
