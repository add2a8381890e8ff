/*
 * What code expects of a JavaScript environment beside the language: addresses, bytes and text, digests. Part of the
 * snapshot; `run.js` connects it. What needs an answer from outside the isolate asks by texts only.
 */
globalThis.__parts = { __proto__: null };
globalThis.__parts.web = function web({ pure, load }) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const codes = new Uint8Array(128).fill(255);
  for (let at = 0; at < 64; at += 1) codes[alphabet.charCodeAt(at)] = at;

  function bytesToBase64(bytes) {
    let text = '';
    for (let at = 0; at < bytes.length; at += 3) {
      const [a, b, c] = [bytes[at], bytes[at + 1], bytes[at + 2]];
      text += alphabet[a >> 2] + alphabet[((a & 3) << 4) | ((b ?? 0) >> 4)];
      text += b === undefined ? '=' : alphabet[((b & 15) << 2) | ((c ?? 0) >> 6)];
      text += c === undefined ? '=' : alphabet[c & 63];
    }
    return text;
  }

  function base64ToBytes(text) {
    const clean = text.replace(/[\t\n\f\r ]/g, '').replace(/={1,2}$/, '');
    const bytes = new Uint8Array(Math.floor((clean.length * 3) / 4));
    let [held, bits, at] = [0, 0, 0];
    for (let i = 0; i < clean.length; i += 1) {
      const value = codes[clean.charCodeAt(i)] ?? 255;
      if (value === 255) throw new TypeError('The text is not base64.');
      held = ((held << 6) | value) & 0xffffff;
      bits += 6;
      if (bits >= 8) {
        bits -= 8;
        bytes[at] = (held >> bits) & 255;
        at += 1;
      }
    }
    if (clean.length % 4 === 1) throw new TypeError('The text is not base64.');
    return bytes;
  }

  function latin1(bytes) {
    let text = '';
    for (let at = 0; at < bytes.length; at += 8192) {
      text += String.fromCharCode.apply(null, bytes.subarray(at, at + 8192));
    }
    return text;
  }

  function bytesOf(data) {
    if (typeof data === 'string') return new globalThis.TextEncoder().encode(data);
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    throw new TypeError('Text, an ArrayBuffer or a view of one is expected.');
  }

  globalThis.btoa = function btoa(value) {
    const text = String(value);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code > 255) throw new RangeError('btoa takes characters up to U+00FF. Use Buffer for other text.');
      bytes[at] = code;
    }
    return bytesToBase64(bytes);
  };
  globalThis.atob = (value) => latin1(base64ToBytes(String(value)));

  globalThis.TextEncoder = class TextEncoder {
    get encoding() {
      return 'utf-8';
    }
    encode(value = '') {
      const binary = unescape(encodeURIComponent(String(value).toWellFormed()));
      const bytes = new Uint8Array(binary.length);
      for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
      return bytes;
    }
    encodeInto(value, target) {
      const bytes = this.encode(value).subarray(0, target.length);
      target.set(bytes);
      return { read: String(value).length, written: bytes.length };
    }
  };
  globalThis.TextDecoder = class TextDecoder {
    #encoding;
    #isFatal;
    #keepsMark;
    constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
      const name = String(label).trim().toLowerCase();
      const known = { utf8: 'utf-8', 'utf-8': 'utf-8', latin1: 'latin1', 'iso-8859-1': 'latin1' };
      this.#encoding = Object.hasOwn(known, name)
        ? known[name]
        : /^utf-?16(le)?$/.test(name)
          ? 'utf-16le'
          : '';
      if (this.#encoding === '')
        throw new RangeError(`The encoding "${label}" is not known. Use utf-8, utf-16le or latin1.`);
      this.#isFatal = fatal;
      this.#keepsMark = ignoreBOM;
    }
    get encoding() {
      return this.#encoding;
    }
    decode(data = new Uint8Array(0)) {
      const bytes = bytesOf(data);
      if (this.#encoding === 'latin1') return latin1(bytes);
      const text = this.#encoding === 'utf-8' ? utf8(bytes, this.#isFatal) : utf16(bytes);
      return !this.#keepsMark && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
    }
  };

  function utf8(bytes, isFatal) {
    const binary = latin1(bytes);
    if (!/[\x80-\xff]/.test(binary)) return binary;
    try {
      return decodeURIComponent(escape(binary));
    } catch {
      if (isFatal) throw new TypeError('The bytes are not UTF-8.');
      return load('buffer').Buffer.from(bytes).toString('utf8');
    }
  }

  function utf16(bytes) {
    let text = '';
    for (let at = 0; at + 1 < bytes.length; at += 2)
      text += String.fromCharCode(bytes[at] | (bytes[at + 1] << 8));
    return text;
  }

  class URLSearchParams {
    #pairs;
    #changed;
    constructor(init = '', changed = undefined) {
      this.#changed = typeof changed === 'function' ? changed : () => undefined;
      if (typeof init === 'object' && init !== null) {
        const given = typeof init[Symbol.iterator] === 'function' ? [...init] : Object.entries(init);
        this.#pairs = given.map(([name, value]) => [String(name), String(value)]);
      } else {
        const text = String(init).replace(/^\?/, '');
        this.#pairs = text === '' ? [] : pure('query_read', text).pairs;
      }
    }
    get size() {
      return this.#pairs.length;
    }
    #set(pairs) {
      this.#pairs = pairs;
      this.#changed(this);
    }
    append(name, value) {
      this.#set([...this.#pairs, [String(name), String(value)]]);
    }
    delete(name, value = undefined) {
      const isGone = ([n, v]) => n === String(name) && (value === undefined || v === String(value));
      this.#set(this.#pairs.filter((pair) => !isGone(pair)));
    }
    get(name) {
      return this.#pairs.find(([n]) => n === String(name))?.[1] ?? null;
    }
    getAll(name) {
      return this.#pairs.filter(([n]) => n === String(name)).map(([, value]) => value);
    }
    has(name, value = undefined) {
      return this.#pairs.some(([n, v]) => n === String(name) && (value === undefined || v === String(value)));
    }
    set(name, value) {
      const at = this.#pairs.findIndex(([n]) => n === String(name));
      if (at === -1) return this.append(name, value);
      const rest = this.#pairs.filter(([n], i) => i <= at || n !== String(name));
      rest[at] = [String(name), String(value)];
      return this.#set(rest);
    }
    sort() {
      this.#set(this.#pairs.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
    }
    forEach(visit, self = undefined) {
      for (const [name, value] of this.#pairs) visit.call(self, value, name, this);
    }
    *entries() {
      for (const [name, value] of this.#pairs) yield [name, value];
    }
    *keys() {
      for (const [name] of this.#pairs) yield name;
    }
    *values() {
      for (const [, value] of this.#pairs) yield value;
    }
    [Symbol.iterator]() {
      return this.entries();
    }
    get [Symbol.toStringTag]() {
      return 'URLSearchParams';
    }
    toString() {
      return this.#pairs.length === 0 ? '' : pure('query_write', JSON.stringify(this.#pairs)).text;
    }
  }
  globalThis.URLSearchParams = URLSearchParams;

  let part;
  let change;
  class URL {
    #parts;
    #params;
    constructor(href, base = undefined) {
      const args = base === undefined ? [String(href)] : [String(href), String(base)];
      this.#parts = pure('url', ...args);
    }
    static canParse(href, base = undefined) {
      return URL.parse(href, base) !== null;
    }
    static parse(href, base = undefined) {
      try {
        return new URL(href, base);
      } catch {
        return null;
      }
    }
    static {
      part = (url, name) => url.#parts[name];
      change = (url, name, value) => {
        url.#parts = pure('url_set', url.#parts.href, name, String(value));
        if (name !== 'hash') url.#params = undefined;
      };
    }
    get searchParams() {
      this.#params ??= new URLSearchParams(this.#parts.search, (params) => {
        this.#parts = pure('url_set', this.#parts.href, 'search', params.toString());
      });
      return this.#params;
    }
    toString() {
      return this.#parts.href;
    }
    toJSON() {
      return this.#parts.href;
    }
    get [Symbol.toStringTag]() {
      return 'URL';
    }
  }
  for (const name of 'href protocol username password host hostname port pathname search hash'.split(' ')) {
    Object.defineProperty(URL.prototype, name, {
      get() {
        return part(this, name);
      },
      set(value) {
        change(this, name, value);
      },
      enumerable: true,
      configurable: true,
    });
  }
  Object.defineProperty(URL.prototype, 'origin', {
    get() {
      return part(this, 'origin');
    },
    enumerable: true,
    configurable: true,
  });
  globalThis.URL = URL;

  const digest = (name, ...data) => base64ToBytes(pure(name, ...data).base64);
  const hashOf = (algorithm) => String(algorithm?.name ?? algorithm);
  const hmac = (hash, key, data) => digest('hmac', hash, bytesToBase64(key), bytesToBase64(data));
  const isEqual = (a, b) => {
    if (a.length !== b.length) return false;
    let difference = 0;
    for (let at = 0; at < a.length; at += 1) difference |= a[at] ^ b[at];
    return difference === 0;
  };
  const keys = new WeakMap();
  const keyOf = (algorithm, key) => {
    const held = keys.get(key);
    if (hashOf(algorithm) !== 'HMAC' || held === undefined)
      throw new TypeError('Only HMAC keys made by importKey("raw", …) work here.');
    return held;
  };
  globalThis.crypto = {
    randomUUID: () => pure('uuid').value,
    getRandomValues(view) {
      const bytes = bytesOf(view);
      bytes.set(base64ToBytes(pure('random', bytes.length).base64));
      return view;
    },
    subtle: {
      digest: async (algorithm, data) =>
        digest('hash', hashOf(algorithm), bytesToBase64(bytesOf(data))).buffer,
      async importKey(format, data, algorithm) {
        if (format !== 'raw' || hashOf(algorithm) !== 'HMAC')
          throw new TypeError('importKey takes ("raw", bytes, { name: "HMAC", hash }) here.');
        const key = { type: 'secret', algorithm: { name: 'HMAC', hash: { name: hashOf(algorithm.hash) } } };
        keys.set(key, { hash: hashOf(algorithm.hash), bytes: bytesOf(data).slice() });
        return key;
      },
      async sign(algorithm, key, data) {
        const { hash, bytes } = keyOf(algorithm, key);
        return hmac(hash, bytes, bytesOf(data)).buffer;
      },
      async verify(algorithm, key, signature, data) {
        const { hash, bytes } = keyOf(algorithm, key);
        return isEqual(hmac(hash, bytes, bytesOf(data)), bytesOf(signature));
      },
    },
  };

  // Made when they are called: most code needs no Buffer.
  for (const name of ['createHash', 'createHmac', 'randomBytes', 'timingSafeEqual']) {
    globalThis.crypto[name] = (...given) => nodeCrypto()[name](...given);
  }

  /** The part of Node's `crypto` that integrations sign requests with. */
  function nodeCrypto() {
    const { Buffer } = load('buffer');
    const bytes = (data, encoding) =>
      typeof data === 'string' ? Buffer.from(data, encoding) : Buffer.from(bytesOf(data));
    const hasher = (finish) => {
      const chunks = [];
      return {
        update(data, encoding = 'utf8') {
          chunks.push(bytes(data, encoding));
          return this;
        },
        digest(encoding = undefined) {
          const made = Buffer.from(finish(Buffer.concat(chunks)));
          return encoding === undefined || encoding === 'buffer' ? made : made.toString(encoding);
        },
      };
    };
    return {
      createHash: (hash) => hasher((data) => digest('hash', String(hash), bytesToBase64(data))),
      createHmac: (hash, key) => hasher((data) => hmac(String(hash), bytes(key, 'utf8'), data)),
      randomUUID: () => pure('uuid').value,
      randomBytes: (count) => Buffer.from(base64ToBytes(pure('random', Number(count)).base64)),
      timingSafeEqual(a, b) {
        if (a.length !== b.length) throw new RangeError('Input buffers must have the same byte length');
        return isEqual(bytesOf(a), bytesOf(b));
      },
      webcrypto: globalThis.crypto,
      subtle: globalThis.crypto.subtle,
    };
  }

  globalThis.queueMicrotask = function queueMicrotask(callback) {
    if (typeof callback !== 'function') throw new TypeError('queueMicrotask takes a function.');
    const turn = async (ready) => {
      await ready;
      callback();
    };
    turn(Promise.resolve()).catch((error) => globalThis.console.error(error));
  };

  return { bytesOf, bytesToBase64, base64ToBytes, nodeCrypto };
};
