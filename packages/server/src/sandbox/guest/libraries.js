/*
 * Libraries by name: `require('cheerio')`, an import (rewritten to it) or a global. Only lodash, date-fns and what is
 * written here is part of the snapshot; every other library is fetched as text and evaluated when it is first
 * touched, so code that uses none pays for none.
 */
globalThis.__parts.libraries = function libraries({ load, fetchRaw, nodeCrypto, isReady }) {
  const ready = { __proto__: null };
  const makers = {
    __proto__: null,
    axios: () => withOwnDoor(load('axios')),
    buffer: () => load('buffer'),
    cheerio: () => load('cheerio'),
    crypto: nodeCrypto,
    'date-fns': () => load('date-fns'),
    'fast-xml-parser': () => load('fast-xml-parser'),
    'fuse.js': () => asDefault(load('fuse.js')),
    lodash: () => load('lodash'),
    mime: () => asDefault(load('mime')),
    'number-to-words': () => load('number-to-words'),
    url: () => ({ ...load('url'), URL: globalThis.URL, URLSearchParams: globalThis.URLSearchParams }),
    uuid: () => load('uuid'),
  };
  const absent = {
    __proto__: null,
    danfojs:
      'The library "danfojs" is not available: it needs TensorFlow. Use lodash for grouping and sums of rows.',
  };
  absent['danfojs-node'] = absent.danfojs;

  globalThis.require = function require(name) {
    const wanted = String(name).replace(/^node:/, '');
    if (wanted in ready) return ready[wanted];
    if (wanted in makers) return (ready[wanted] = makers[wanted]());
    const method = /^lodash\/(\w+)$/.exec(wanted)?.[1];
    if (method !== undefined && Object.hasOwn(load('lodash'), method)) return load('lodash')[method];
    if (wanted in absent) throw new Error(absent[wanted]);
    throw new Error(
      `There is no library "${String(name)}" here. Available: ${Object.keys(makers).join(', ')}.`,
    );
  };

  /** Only what was asked for is made: an ordinary property takes the getter's place. */
  function lazyGlobal(name, make) {
    const become = (value) =>
      Object.defineProperty(globalThis, name, {
        value,
        writable: true,
        configurable: true,
        enumerable: false,
      });
    let isMaking = false;
    Object.defineProperty(globalThis, name, {
      get() {
        if (isMaking || !isReady()) return undefined; // a library looks whether there is one already
        isMaking = true;
        const value = make();
        become(value);
        return value;
      },
      set: become,
      configurable: true,
      enumerable: false,
    });
  }
  const { require } = globalThis;
  const globals = {
    axios: 'axios',
    cheerio: 'cheerio',
    dateFns: 'date-fns',
    Fuse: 'fuse.js',
    mime: 'mime',
    numberToWords: 'number-to-words',
    uuid: 'uuid',
  };
  for (const [name, module] of Object.entries(globals)) lazyGlobal(name, () => require(module));
  for (const name of ['XMLParser', 'XMLBuilder', 'XMLValidator'])
    lazyGlobal(name, () => require('fast-xml-parser')[name]);
  lazyGlobal('Buffer', () => require('buffer').Buffer);
  lazyGlobal('dfd', () => require('danfojs'));
  lazyGlobal('structuredClone', () => {
    const clone = load('structured-clone');
    return (value) => clone(value);
  });

  /** So that `const Fuse = require('fuse.js')` and `import Fuse from 'fuse.js'` mean the same. */
  function asDefault(value) {
    if (!('default' in value)) Object.defineProperty(value, 'default', { value });
    return value;
  }

  /** The real axios, whose requests leave by the sandbox's one door. */
  function withOwnDoor(axios) {
    axios.defaults.adapter = async function adapter(config) {
      const headers = config.headers.toJSON();
      if (config.auth) {
        const pair = `${config.auth.username ?? ''}:${config.auth.password ?? ''}`;
        headers.authorization = `Basic ${globalThis.btoa(unescape(encodeURIComponent(pair)))}`;
      }
      const request = {
        url: axios.getUri(config),
        method: String(config.method ?? 'get').toUpperCase(),
        headers,
        body: config.data,
        ...(config.timeout > 0 && { timeoutMs: config.timeout }),
      };
      const answer = await fetchRaw(request).catch((error) => {
        throw new axios.AxiosError(error.message, axios.AxiosError.ERR_NETWORK, config);
      });
      const wantsBytes = config.responseType === 'arraybuffer';
      const response = {
        data: wantsBytes ? globalThis.Buffer.from(answer.bytes()) : answer.text(),
        status: answer.status,
        statusText: '',
        headers: axios.AxiosHeaders.from(answer.headers),
        config,
        request: {},
      };
      if (!config.validateStatus || config.validateStatus(response.status)) return response;
      const code =
        response.status >= 500 ? axios.AxiosError.ERR_BAD_RESPONSE : axios.AxiosError.ERR_BAD_REQUEST;
      throw new axios.AxiosError(
        `Request failed with status code ${response.status}`,
        code,
        config,
        {},
        response,
      );
    };
    return axios;
  }
};
