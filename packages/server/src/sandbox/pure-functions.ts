import { createHash, createHmac, getHashes, randomBytes, randomUUID } from 'node:crypto';

/**
 * What the isolate lacks and Node has, as pure functions of texts: addresses, digests and random bytes. Arguments come
 * from customer code, so each is checked; a fault is an answer with `error`, never a throw into the sandbox process.
 */
export function pureFunction(text: string): string {
  try {
    const [name, ...args] = JSON.parse(text) as [string, ...unknown[]];
    const made = Object.hasOwn(functions, name) ? functions[name]!(...args.map(String)) : undefined;
    return JSON.stringify(made === undefined ? { error: 'There is no such function.' } : made);
  } catch (error) {
    return JSON.stringify({ error: error instanceof Error ? error.message : 'It failed.' });
  }
}

const mostRandomBytes = 65_536;

const functions: Readonly<Record<string, (...args: string[]) => unknown>> = {
  url: (href = '', base) => parts(base === undefined ? new URL(href) : new URL(href, base)),
  url_set(href = '', name = '', value = '') {
    const url = new URL(href);
    if (!settable.has(name)) throw new TypeError(`A URL has no part "${name}" to set.`);
    Reflect.set(url, name, value);
    return parts(url);
  },
  query_read: (text = '') => ({ pairs: [...new URLSearchParams(text)] }),
  query_write: (pairs = '[]') => ({
    text: new URLSearchParams(JSON.parse(pairs) as [string, string][]).toString(),
  }),
  uuid: () => ({ value: randomUUID() }),
  random(count = '0') {
    const bytes = Number(count);
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > mostRandomBytes) {
      throw new RangeError(`Between 0 and ${mostRandomBytes} random bytes can be had at once.`);
    }
    return { base64: randomBytes(bytes).toString('base64') };
  },
  hash: (algorithm = '', data = '') => ({
    base64: createHash(hashName(algorithm)).update(Buffer.from(data, 'base64')).digest('base64'),
  }),
  hmac: (algorithm = '', key = '', data = '') => ({
    base64: createHmac(hashName(algorithm), Buffer.from(key, 'base64'))
      .update(Buffer.from(data, 'base64'))
      .digest('base64'),
  }),
};

const settable: ReadonlySet<string> = new Set([
  'href',
  'protocol',
  'username',
  'password',
  'host',
  'hostname',
  'port',
  'pathname',
  'search',
  'hash',
]);

const urlParts = [...settable, 'origin'] as const;

function parts(url: URL): Record<string, string> {
  return Object.fromEntries(urlParts.map((name) => [name, String(Reflect.get(url, name))]));
}

/** `SHA-256` as the Web has it, `sha256` as Node has it. */
function hashName(given: string): string {
  const name = given.toLowerCase().replace(/^sha-(?=\d)/, 'sha');
  if (!getHashes().includes(name))
    throw new TypeError(`The digest "${given}" is not known. Use SHA-256, for instance.`);
  return name;
}
