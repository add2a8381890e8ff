/*
 * Runs inside the isolate, before any customer code, as part of the snapshot that every run starts from.
 * The only way out is one function that takes a text (`send`) and the only way in are the functions
 * returned here: no object of the host is ever reachable, so there is nothing to climb.
 */
(function prepare() {
  'use strict';
  const { stringify, parse } = JSON;
  const limits = {
    resultBytes: 30 * 1024 * 1024,
    requestBytes: 10 * 1024 * 1024,
    consoleBytes: 64 * 1024,
    variablesBytes: 1024 * 1024,
    parsedExpressions: 50,
    parsedCharacters: 10_000,
  };
  const { jsonata, __parts: parts } = globalThis;
  const inSnapshot = { __proto__: null, lodash: globalThis._, 'date-fns': globalThis.dateFns };
  for (const name of ['window', 'jsonata', 'dateFns', '__parts']) delete globalThis[name];

  const loaded = { __proto__: null, ...inSnapshot };
  const waiting = new Map();
  /** Bound when the isolate is connected; before that nobody else's code has run. */
  let send;
  let lastId = 0;
  let consoleLeft = limits.consoleBytes;

  /** Asks the sandbox process for the value of a pure function. */
  function pure(...call) {
    const { error, ...value } = parse(within(send(`P${stringify(call)}`)));
    if (error !== undefined) throw new TypeError(error);
    return value;
  }

  /** Evaluates a library, once; its script leaves what it exports in `library`. */
  function load(name) {
    if (!(name in loaded)) {
      const text = send(`L${name}`);
      if (typeof text !== 'string') throw new Error(`The library "${name}" is missing here.`);
      loaded[name] = (0, eval)(`(function () {${text}\nreturn library;})`)();
    }
    return loaded[name];
  }

  /** Nothing is answered when the run is over. */
  function within(answer) {
    if (typeof answer !== 'string') throw new Error('The run is over.');
    return answer;
  }

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
      const line = /your-code\.js:(\d+)/.exec(String(thrown.stack ?? ''))?.[1] ?? thrown.own;
      const code = typeof thrown.code === 'string' ? ` [${thrown.code}]` : '';
      const start = name === '' ? '' : `${name}: `;
      return `${start}${message}${code}${line === undefined ? '' : ` (line ${line})`}`.slice(0, 4000);
    } catch {
      return 'something that cannot be shown';
    }
  }

  function finish(text) {
    if (text.length > limits.resultBytes) return fail(new RangeError('The result is larger than 30 MB.'));
    if (variables.changed.size > 0) send(`V${stringify(Object.fromEntries(variables.changed))}`);
    send(`R${text}`);
  }

  function fail(thrown) {
    send(stringify({ kind: 'failed', message: describe(thrown), isMemory: thrown?.isMemory === true }));
  }

  async function settle(work) {
    try {
      finish((await work()) ?? 'null');
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

  /** Values that live as long as the execution: read as they were at the start, written when the run succeeds. */
  const variables = {
    values: new Map(),
    changed: new Map(),
    get: (name) => {
      const text = variables.values.get(String(name));
      return text === undefined ? undefined : parse(text);
    },
    set(name, value) {
      const key = String(name);
      if (key === '' || key.length > 200 || ['__proto__', 'constructor', 'prototype'].includes(key))
        throw new TypeError(`"${key.slice(0, 50)}" cannot be the name of a variable.`);
      const text = stringify(value) ?? 'null';
      variables.values.set(key, text);
      variables.changed.set(key, parse(text));
      const size = [...variables.values].reduce((sum, [name, text]) => sum + name.length + text.length, 0);
      if (size > limits.variablesBytes)
        throw new RangeError('The variables of one execution are larger than 1 MB.');
    },
  };
  globalThis.workflow = {
    setVariable: (name, value) => variables.set(name, value),
    getVariable: (name) => variables.get(name),
  };

  const web = parts.web({ pure, load });

  function requestOf({ url, method, headers, body, timeoutMs }) {
    const isBytes = body instanceof ArrayBuffer || ArrayBuffer.isView(body);
    const isEmpty = body === undefined || body === null;
    return {
      url: String(url),
      method,
      headers: Object.fromEntries(
        Object.entries(headers ?? {}).map(([name, value]) => [String(name).toLowerCase(), String(value)]),
      ),
      ...(isEmpty ? {} : isBytes ? { base64: web.bytesToBase64(web.bytesOf(body)) } : { body: String(body) }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
  }

  /** An answer whose body came as text, or as base64 where it is not UTF-8. */
  async function fetchRaw(request) {
    const answer = await ask('fetch', requestOf(request));
    return {
      ...answer,
      bytes: () =>
        answer.base64 === undefined
          ? new globalThis.TextEncoder().encode(answer.body)
          : web.base64ToBytes(answer.base64),
      text: () => textOf(answer),
    };
  }

  function textOf({ body, base64 }) {
    return base64 === undefined ? body : new globalThis.TextDecoder().decode(web.base64ToBytes(base64));
  }

  globalThis.fetch = async function fetch(input, options = {}) {
    const isForm = options.body instanceof globalThis.URLSearchParams;
    const headers = pairsOf(options.headers);
    if (isForm) headers['content-type'] ??= 'application/x-www-form-urlencoded;charset=UTF-8';
    const answer = await fetchRaw({
      url: input?.href ?? input?.url ?? input,
      method: String(options.method ?? 'GET').toUpperCase(),
      headers,
      body: options.body,
    });
    const received = answer.headers;
    return {
      ok: answer.status >= 200 && answer.status < 300,
      status: answer.status,
      statusText: '',
      url: answer.url,
      headers: {
        get: (name) => received[String(name).toLowerCase()] ?? null,
        has: (name) => String(name).toLowerCase() in received,
        entries: () => Object.entries(received)[Symbol.iterator](),
        forEach: (visit) => Object.entries(received).forEach(([name, value]) => visit(value, name)),
      },
      text: async () => answer.text(),
      json: async () => parse(answer.text()),
      arrayBuffer: async () => answer.bytes().buffer,
    };
  };

  function pairsOf(headers) {
    const pairs = Array.isArray(headers) ? headers : Object.entries(headers ?? {});
    return Object.fromEntries(pairs.map(([name, value]) => [String(name).toLowerCase(), String(value)]));
  }

  parts.libraries({ load, fetchRaw, nodeCrypto: web.nodeCrypto, isReady: () => send !== undefined });

  /** Expressions of this isolate's tenant as they were parsed; each evaluation has an environment of its own. */
  const parsed = new Map();
  function compiled(text) {
    const known = parsed.get(text);
    if (known !== undefined) return known;
    const expression = jsonata(text);
    if (parsed.size >= limits.parsedExpressions) parsed.delete(parsed.keys().next().value);
    if (text.length <= limits.parsedCharacters) parsed.set(text, expression);
    return expression;
  }

  /** A request that the code waits for without letting go: what Python's `requests` is. */
  function waitFor(request) {
    lastId += 1;
    const text = stringify({ id: lastId, ...requestOf(request) });
    if (text.length > limits.requestBytes) return { error: 'The request is larger than 10 MB.' };
    const answer = parse(within(send(`W${text}`)));
    return answer.error === undefined ? { ...answer, text: textOf(answer) } : answer;
  }

  globalThis.__connect = function connect(sendText) {
    send = sendText;
    const { WebAssembly } = globalThis;
    // Deleted here: an isolate cannot be made from a snapshot that lacks them.
    for (const name of ['__connect', 'WebAssembly', 'SharedArrayBuffer', 'Atomics']) delete globalThis[name];
    const know = (given) => {
      for (const [name, value] of Object.entries(parse(given))) variables.values.set(name, stringify(value));
    };

    return {
      run(entry, paramsText, variablesText) {
        if (typeof entry !== 'function') {
          return fail(new TypeError('The code defines no function "yourFunction(params)".'));
        }
        know(variablesText);
        void settle(async () => stringify(await entry(parse(paramsText))));
      },
      python(script, wasm, code, paramsText, variablesText, memoryMb) {
        know(variablesText);
        const runPython = parts.python({ pure, WebAssembly, write, waitFor, variables });
        void settle(async () => {
          const text = await runPython({ script, wasm, code, paramsText, memoryMb });
          return stringify(readJson(text));
        });
      },
      transform(expression, inputText) {
        void settle(async () => stringify(await compiled(expression).evaluate(parse(inputText))));
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

  /** MicroPython writes what it cannot express as it prints it. */
  function readJson(text) {
    try {
      return parse(text);
    } catch {
      throw Object.assign(
        new Error(
          'TypeError: the result holds something that JSON cannot: return dicts, lists, text, numbers, True, False or None.',
        ),
        {
          name: '',
        },
      );
    }
  }
})();
