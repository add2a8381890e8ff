/*
 * Runs inside the isolate, before any customer code, as part of the snapshot that every run starts from.
 * The only way out is one function that takes a text (`send`) and the only way in are the two functions
 * returned here: no object of the host is ever reachable, so there is nothing to climb.
 */
(function prepare() {
  'use strict';
  const { stringify, parse } = JSON;
  const limits = { resultBytes: 30 * 1024 * 1024, requestBytes: 10 * 1024 * 1024, consoleBytes: 64 * 1024 };
  const jsonata = globalThis.jsonata;
  const libraries = { __proto__: null, lodash: globalThis._, 'date-fns': globalThis.dateFns };
  const later = ['cheerio', 'fast-xml-parser', 'fuse.js', 'mime', 'number-to-words', 'url', 'danfojs'];
  for (const name of ['window', 'jsonata', 'dateFns']) delete globalThis[name];

  globalThis.__connect = function connect(send) {
    // Deleted here: an isolate cannot be made from a snapshot that lacks them.
    for (const name of ['__connect', 'WebAssembly', 'SharedArrayBuffer', 'Atomics']) delete globalThis[name];
    const waiting = new Map();
    let lastId = 0;
    let consoleLeft = limits.consoleBytes;

    function ask(kind, request) {
      lastId += 1;
      const text = stringify({ kind, id: lastId, ...request });
      if (text.length > limits.requestBytes) throw new RangeError('The request is larger than 10 MB.');
      return new Promise((resolve, reject) => {
        waiting.set(lastId, { resolve, reject });
        send(text);
      });
    }

    function describe(thrown) {
      try {
        if (thrown === null || typeof thrown !== 'object') return String(thrown).slice(0, 4000);
        const name = typeof thrown.name === 'string' ? thrown.name : 'Error';
        const message = typeof thrown.message === 'string' ? thrown.message : stringify(thrown);
        const line = /your-code\.js:(\d+)/.exec(String(thrown.stack ?? ''));
        const code = typeof thrown.code === 'string' && jsonata !== undefined ? ` [${thrown.code}]` : '';
        return `${name}: ${message}${code}${line === null ? '' : ` (line ${line[1]})`}`.slice(0, 4000);
      } catch {
        return 'something that cannot be shown';
      }
    }

    function finish(value) {
      const text = stringify(value) ?? 'null';
      if (text.length > limits.resultBytes) return fail(new RangeError('The result is larger than 30 MB.'));
      send(`R${text}`);
    }

    function fail(thrown) {
      send(stringify({ kind: 'failed', message: describe(thrown) }));
    }

    async function settle(work) {
      try {
        finish(await work());
      } catch (thrown) {
        fail(thrown);
      }
    }

    function write(level, values) {
      if (consoleLeft <= 0) return;
      const text = values
        .map((value) =>
          typeof value === 'string' ? value : value instanceof Error ? describe(value) : show(value),
        )
        .join(' ')
        .slice(0, consoleLeft);
      consoleLeft -= text.length + 16;
      send(stringify({ kind: 'console', level, text }));
    }

    function show(value) {
      try {
        return stringify(value) ?? String(value);
      } catch {
        return String(value);
      }
    }

    globalThis.console = {
      log: (...values) => write('info', values),
      info: (...values) => write('info', values),
      debug: (...values) => write('debug', values),
      warn: (...values) => write('warn', values),
      error: (...values) => write('error', values),
    };

    globalThis.setTimeout = function setTimeout(callback, ms, ...values) {
      if (typeof callback !== 'function') throw new TypeError('setTimeout takes a function.');
      const asked = ask('timer', { ms: Math.max(0, Number(ms) || 0) });
      const id = lastId;
      const fire = async () => {
        await asked;
        callback(...values);
      };
      fire().catch(fail);
      return id;
    };
    globalThis.clearTimeout = function clearTimeout(id) {
      if (waiting.delete(id)) send(stringify({ kind: 'clear_timer', id }));
    };

    async function fetch(input, options = {}) {
      const url = String(input?.href ?? input?.url ?? input);
      const answer = await ask('fetch', {
        url,
        method: String(options.method ?? 'GET').toUpperCase(),
        headers: headersOf(options.headers),
        ...(options.body === undefined || options.body === null ? {} : { body: String(options.body) }),
      });
      const headers = answer.headers;
      return {
        ok: answer.status >= 200 && answer.status < 300,
        status: answer.status,
        statusText: '',
        url: answer.url,
        headers: {
          get: (name) => headers[String(name).toLowerCase()] ?? null,
          has: (name) => String(name).toLowerCase() in headers,
          entries: () => Object.entries(headers)[Symbol.iterator](),
          forEach: (visit) => Object.entries(headers).forEach(([name, value]) => visit(value, name)),
        },
        text: async () => answer.body,
        json: async () => parse(answer.body),
      };
    }
    globalThis.fetch = fetch;

    function headersOf(headers) {
      const pairs = Array.isArray(headers) ? headers : Object.entries(headers ?? {});
      return Object.fromEntries(pairs.map(([name, value]) => [String(name).toLowerCase(), String(value)]));
    }

    /** The part of axios that integration code uses: request, the verbs, create, params, auth, validateStatus. */
    function createAxios(defaults) {
      async function request(first, second) {
        const given = typeof first === 'string' ? { ...second, url: first } : { ...first };
        const config = { ...defaults, ...given, headers: { ...defaults.headers, ...given.headers } };
        const headers = headersOf(config.headers);
        let body = config.data;
        if (body !== undefined && body !== null && typeof body === 'object') {
          body = stringify(body);
          headers['content-type'] ??= 'application/json';
        }
        headers.accept ??= 'application/json, text/plain, */*';
        if (config.auth) {
          headers.authorization = `Basic ${toBase64(`${config.auth.username ?? ''}:${config.auth.password ?? ''}`)}`;
        }
        const answer = await fetch(addressOf(config), { method: config.method ?? 'GET', headers, body });
        const response = {
          data: readBody(await answer.text(), config.responseType),
          status: answer.status,
          statusText: '',
          headers: Object.fromEntries(answer.headers.entries()),
          config,
        };
        const isGood = config.validateStatus ?? ((status) => status >= 200 && status < 300);
        if (config.validateStatus === null || isGood(response.status)) return response;
        const error = new Error(`Request failed with status code ${response.status}`);
        throw Object.assign(error, { name: 'AxiosError', isAxiosError: true, config, response });
      }
      const verb = (method) => (url, config) => request({ ...config, url, method });
      const verbWithData = (method) => (url, data, config) => request({ ...config, url, data, method });
      return Object.assign((first, second) => request(first, second), {
        request,
        get: verb('GET'),
        delete: verb('DELETE'),
        head: verb('HEAD'),
        options: verb('OPTIONS'),
        post: verbWithData('POST'),
        put: verbWithData('PUT'),
        patch: verbWithData('PATCH'),
        create: (own) => createAxios({ ...defaults, ...own }),
        isAxiosError: (error) => error?.isAxiosError === true,
        defaults,
      });
    }

    function addressOf(config) {
      const url = String(config.url ?? '');
      const base =
        config.baseURL === undefined || /^[a-z][a-z0-9+.-]*:\/\//i.test(url) ? '' : String(config.baseURL);
      const joined = base === '' ? url : `${base.replace(/\/$/, '')}/${url.replace(/^\//, '')}`;
      const query = Object.entries(config.params ?? {})
        .filter(([, value]) => value !== undefined && value !== null)
        .flatMap(([name, value]) =>
          Array.isArray(value) ? value.map((item) => [`${name}[]`, item]) : [[name, value]],
        )
        .map(
          ([name, value]) =>
            `${encodeURIComponent(name)}=${encodeURIComponent(typeof value === 'object' ? stringify(value) : value)}`,
        )
        .join('&');
      return query === '' ? joined : `${joined}${joined.includes('?') ? '&' : '?'}${query}`;
    }

    function readBody(text, responseType) {
      if (responseType === 'text' || text === '') return text;
      try {
        return parse(text);
      } catch {
        return text;
      }
    }

    const axios = createAxios({});
    globalThis.axios = axios;
    globalThis.btoa = toBase64;
    libraries.axios = axios;
    libraries.uuid = { v4: () => send('U') };
    globalThis.require = function require(name) {
      const wanted = String(name);
      if (wanted in libraries) return libraries[wanted];
      if (later.includes(wanted)) throw new Error(`The library "${wanted}" is not available yet.`);
      const known = Object.keys(libraries).join(', ');
      throw new Error(`There is no library "${wanted}" here. Available: ${known}.`);
    };

    return {
      run(entry, paramsText) {
        if (typeof entry !== 'function') {
          return fail(new TypeError('The code defines no function "yourFunction(params)".'));
        }
        void settle(() => entry(parse(paramsText)));
      },
      transform(expression, inputText) {
        void settle(() => jsonata(expression).evaluate(parse(inputText)));
      },
      answer(text) {
        const { id, error, ...value } = parse(text);
        const asked = waiting.get(id);
        waiting.delete(id);
        if (error === undefined) asked?.resolve(value);
        else asked?.reject(new Error(error));
      },
    };
  };

  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  function toBase64(value) {
    const bytes = unescape(encodeURIComponent(String(value)));
    let text = '';
    for (let at = 0; at < bytes.length; at += 3) {
      const [a, b, c] = [bytes.charCodeAt(at), bytes.charCodeAt(at + 1), bytes.charCodeAt(at + 2)];
      text += alphabet[a >> 2] + alphabet[((a & 3) << 4) | (b >> 4)];
      text += Number.isNaN(b) ? '=' : alphabet[((b & 15) << 2) | (c >> 6)];
      text += Number.isNaN(c) ? '=' : alphabet[c & 63];
    }
    return text;
  }
})();
