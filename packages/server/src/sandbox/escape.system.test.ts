import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { AppError } from '#domain/errors';
import { systemClock } from '#domain/clock';
import { createOutbound } from '#outbound/index';
import type { Outbound } from '#outbound/index';
import { createSandbox } from '#sandbox/index';
import type { Sandbox } from '#sandbox/index';
import { startJailed } from '#sandbox/jail';
import { findJail, guestBoot } from '#sandbox/process';

/** Everything customer code might try. Each case ends in a harmless value or a typed error, and the pool goes on. */

const log = { info: () => undefined, warn: () => undefined } as never;
let outbound: Outbound;
let sandbox: Sandbox;
let secret: { url: string; hits: () => number; close: () => void };

before(async () => {
  outbound = createOutbound({ allow: [], clock: systemClock });
  sandbox = createSandbox({ processes: 2, outbound, log });
  let hits = 0;
  const server = createServer((_request, response) => {
    hits += 1;
    response.end('secret');
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  secret = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    hits: () => hits,
    close: () => server.close(),
  };
});
after(async () => {
  await sandbox.close();
  await outbound.close();
  secret.close();
});

const body = (lines: string) => `async function yourFunction(params) { ${lines} }`;
const run = async (
  lines: string,
  options: { params?: unknown; timeoutMs?: number; memoryMb?: number } = {},
) => (await sandbox.runCode({ code: body(lines), params: {}, timeoutMs: 5_000, ...options })).output;
const failsWith = (code: string, work: Promise<unknown>, text = /./) =>
  assert.rejects(work, (e) => e instanceof AppError && e.code === code && text.test(e.message));

describe('nothing of the host is in reach', () => {
  for (const name of [
    'process',
    'global',
    '__parts',
    'module',
    'exports',
    '__dirname',
    'WebAssembly',
    'SharedArrayBuffer',
    '__connect',
    'window',
  ]) {
    test(`${name} is not defined`, async () => assert.equal(await run(`return typeof ${name}`), 'undefined'));
  }

  test('require gives the listed libraries only and says which are to come', async () => {
    for (const name of [
      'fs',
      'child_process',
      'node:fs',
      '../child.ts',
      '__proto__',
      'constructor',
      'isolated-vm',
    ]) {
      await failsWith('code_failed', run(`return require(${JSON.stringify(name)})`), /There is no library/);
    }
    await failsWith('code_failed', run(`return require('danfojs')`), /"danfojs" is not available/);
    assert.equal(await run(`return require('lodash').sum([1, 2])`), 3);
  });

  test('import reaches the listed libraries only, static and dynamic', async () => {
    await failsWith('code_failed', run(`return await import('node:fs')`), /There is no library "node:fs"/);
    await failsWith(
      'code_failed',
      sandbox.runCode({ code: `import fs from 'fs';\n${body('return 1')}`, params: {} }),
      /There is no library "fs"/,
    );
  });

  test('every way to Function leads back into the isolate', async () => {
    const ways = [
      'Function',
      '(() => 0).constructor',
      '(async () => 0).constructor',
      '(function* () {}).constructor',
      'console.log.constructor',
      'fetch.constructor',
      'require.constructor',
      'setTimeout.constructor',
      'axios.get.constructor',
      'URL.constructor',
      'Buffer.constructor',
      'crypto.subtle.digest.constructor',
      'workflow.getVariable.constructor',
      `require('cheerio').load.constructor`,
      `fetch('http://127.0.0.1/').catch(() => 0).constructor.constructor`,
      'params.constructor.constructor',
      'Reflect.getPrototypeOf(console).constructor.constructor',
    ];
    for (const way of ways) {
      const source = `const F = ${way}; const g = F('return typeof process + typeof require("lodash").map')(); return g.next ? g.next().value : await g`;
      const result = await run(source).catch((e: unknown) => e);
      assert.ok(result === 'undefinedfunction' || result instanceof AppError, `${way}: ${String(result)}`);
    }
  });

  test('errors made by the host carry no host object', async () => {
    const result = await run(`
      try { await fetch('not a url'); } catch (e) {
        return [typeof e.constructor.constructor('return typeof process')(), e instanceof Error, Object.keys(e)];
      }`);
    assert.deepEqual(result, ['string', true, []]);
  });

  test('stack traces are taken with prepareStackTrace and show no host frame', async () => {
    const result = await run(`
      Error.prepareStackTrace = (error, frames) => frames.map((f) => [typeof f.getThis?.(), String(f.getFileName?.())]);
      return new Error('x').stack`);
    assert.ok(!JSON.stringify(result).includes('/'), JSON.stringify(result));
  });

  test('pollution of prototypes does not outlive the run, nor reach the bridge', async () => {
    const seen = await run(`
      const caught = [];
      for (const proto of [Object.prototype, Array.prototype, Promise.prototype, Function.prototype, Map.prototype]) {
        for (const name of ['apply', 'call', 'then', 'get', 'set', 'resolve', 'toJSON_', 'kind']) {
          try {
            const old = proto[name];
            Object.defineProperty(proto, name, { configurable: true, get() { return old; }, set(v) { caught.push(typeof v); } });
          } catch {}
        }
      }
      console.log('x');
      return caught.filter((kind) => kind !== 'function' && kind !== 'object').length`);
    assert.equal(typeof seen, 'number');
    assert.equal(await run(`return Object.getOwnPropertyNames(Object.prototype).includes('kind')`), false);
  });

  test('globals of one run are gone in the next', async () => {
    await sandbox.runCode({
      code: `globalThis.left = 'secret of another tenant'; ${body('return 1')}`,
      params: {},
    });
    for (let i = 0; i < 4; i += 1) assert.equal(await run('return typeof left'), 'undefined');
  });
});

describe('results and thrown things cannot play tricks', () => {
  test('getters, toJSON, symbols and proxies end as plain JSON', async () => {
    assert.deepEqual(
      await run(`return { get a() { return 1 }, [Symbol('s')]: 2, toString() { return 'x' }, f() {} }`),
      { a: 1 },
    );
    assert.deepEqual(await run(`return { toJSON() { return { b: 2 } } }`), { b: 2 });
    assert.deepEqual(await run(`return new Proxy({ a: 1 }, { get: (t, k) => t[k] })`), { a: 1 });
    assert.equal(await run('return undefined'), null);
    assert.equal(await run('return () => 1'), null);
  });

  test('a getter that throws, a circle and a BigInt are errors of the code', async () => {
    await failsWith('code_failed', run(`return { get a() { throw new Error('boo') } }`), /boo/);
    await failsWith('code_failed', run(`const a = {}; a.a = a; return a`), /circular/i);
    await failsWith('code_failed', run(`return 1n`), /BigInt/);
  });

  test('an own __proto__ key in the result is refused', async () => {
    await failsWith('code_failed', run(`return JSON.parse('{"a":[{"__proto__":{"x":1}}]}')`), /"__proto__"/);
    assert.deepEqual(await run(`return ['__proto__']`), ['__proto__']);
  });

  test('exotic things that are thrown are described, never handed over', async () => {
    const things = [
      'null',
      'undefined',
      '{}',
      `Symbol('s')`,
      '() => 1',
      `new Proxy({}, { get() { throw 1 } })`,
      `{ toString() { throw 1 }, get message() { throw 2 } }`,
      `Object.create(null)`,
      `Object.assign(new Error('m'), { name: { toString() { while (false); return 'n' } } })`,
      `{ message: 'x'.repeat(1e7) }`,
    ];
    for (const thing of things) {
      const error = await run(`throw ${thing}`).catch((e: unknown) => e);
      assert.ok(error instanceof AppError && error.code === 'code_failed', thing);
      assert.ok(error.message.length < 5_000);
      const atTop = await sandbox.runCode({ code: `throw ${thing}`, params: {} }).catch((e: unknown) => e);
      assert.ok(atTop instanceof AppError && atTop.code === 'code_failed', thing);
      assert.ok(atTop.message.length < 5_000);
    }
  });

  test('a forged message on the console is text, not a result', async () => {
    assert.equal(
      await run(`console.log('R{"forged":true}'); console.log('{"kind":"failed"}'); return 'true result'`),
      'true result',
    );
  });

  test('the second answer of a run is ignored', async () => {
    assert.equal(await run(`setTimeout(() => { throw new Error('late') }, 0); return 1`), 1);
  });
});

describe('limits end the run and the pool goes on', () => {
  const stillWorks = async () => assert.equal(await run('return 1'), 1);

  test('an endless loop, before and after an await and in a getter of the result', async () => {
    for (const lines of [
      'for (;;);',
      'await null; for (;;);',
      'return { get a() { for (;;); } }',
      '/(a+)+$/.exec("a".repeat(40) + "b")',
    ]) {
      await failsWith('code_timeout', run(lines, { timeoutMs: 300 }));
      await stillWorks();
    }
    await failsWith('code_timeout', sandbox.runCode({ code: 'for (;;);', params: {}, timeoutMs: 300 }));
    await failsWith(
      'code_timeout',
      run('const f = () => Promise.resolve().then(f); await f();', { timeoutMs: 300 }),
    );
    await stillWorks();
  });

  test('memory: objects, strings, buffers, maps', async () => {
    const bombs = [
      'const a = []; for (;;) a.push(new Array(1e5).fill(1.1));',
      'const a = []; for (let i = 0; ; i++) a.push("x".repeat(1e6) + i);',
      'const a = []; for (;;) a.push(new Uint8Array(1e7).fill(1));',
      'const m = new Map(); for (let i = 0; ; i++) m.set(i, { i });',
      'return "x".repeat(5e8).split("")',
    ];
    for (const bomb of bombs) {
      const error = await run(bomb, { memoryMb: 64, timeoutMs: 20_000 }).catch((e: unknown) => e);
      assert.ok(
        error instanceof AppError &&
          (error.code === 'code_out_of_memory' || /allocation failed|string length/.test(error.message)),
        `${bomb}: ${String(error)}`,
      );
    }
    await stillWorks();
  });

  test('deep recursion, deep results and deep JSON', async () => {
    await failsWith('code_failed', run('const f = () => f(); f();'), /call stack/);
    await failsWith(
      'code_failed',
      run('let a = {}; for (let i = 0; i < 1e6; i++) a = { a }; return a'),
      /call stack/,
    );
  });

  test('a result over 30 MB and console lines over 64 KB', async () => {
    await failsWith('code_failed', run('return "x".repeat(31 * 1024 * 1024)'), /larger than 30 MB/);
    const { console } = await sandbox.runCode({
      code: body('for (let i = 0; i < 1e4; i++) console.log("x".repeat(100)); return 1'),
      params: {},
    });
    const kept = console.reduce((sum, line) => sum + line.text.length, 0);
    assert.ok(kept > 30_000 && kept <= 64 * 1024, String(kept));
  });

  test('a promise that nothing will settle is told at once, not after the time limit', async () => {
    const started = performance.now();
    await failsWith(
      'code_failed',
      run('await new Promise(() => {})', { timeoutMs: 60_000 }),
      /nothing will settle/,
    );
    assert.ok(performance.now() - started < 5_000);
  });

  test('floods of timers and of requests', async () => {
    await failsWith(
      'code_failed',
      run(
        'for (let i = 0; i < 10_001; i++) setTimeout(() => 0, 1e6); await new Promise((r) => setTimeout(r, 1e6))',
      ),
      /timers and requests/,
    );
    const result = await run(
      `return (await Promise.allSettled(Array.from({ length: 50 }, () => fetch('http://127.0.0.1/')))).filter((r) => /requests at once|refused/.test(r.reason?.message)).length`,
    );
    assert.equal(result, 50);
    await stillWorks();
  });

  test('a stopped run ends at once', async () => {
    const stop = new AbortController();
    const work = sandbox.runCode({ code: body('for (;;);'), params: {}, signal: stop.signal });
    setTimeout(() => stop.abort(new Error('stopped by the user')), 50);
    await assert.rejects(work, /stopped by the user/);
    await stillWorks();
  });
});

describe('the network is behind the one door', () => {
  test('addresses inside are refused, in every spelling', async () => {
    const port = new URL(secret.url).port;
    const urls = [
      secret.url,
      `http://localhost:${port}/`,
      `http://[::1]:${port}/`,
      `http://[::ffff:127.0.0.1]:${port}/`,
      `http://0.0.0.0:${port}/`,
      `http://2130706433:${port}/`,
      `http://0x7f.1:${port}/`,
      'http://169.254.169.254/latest/meta-data/',
      'http://10.0.0.1/',
    ];
    for (const url of urls) {
      await failsWith('code_failed', run(`return (await fetch(${JSON.stringify(url)})).text()`), /refused/);
      await failsWith('code_failed', run(`return (await axios.get(${JSON.stringify(url)})).data`), /refused/);
    }
    assert.equal(secret.hits(), 0);
  });

  test('other schemes, smuggled headers and methods are refused', async () => {
    for (const url of [
      'file:///etc/passwd',
      'data:text/plain,x',
      'ftp://a.example',
      '/relative',
      'http://',
    ]) {
      await failsWith(
        'code_failed',
        run(`return (await fetch(${JSON.stringify(url)})).text()`),
        /not an absolute http/,
      );
    }
    await failsWith(
      'code_failed',
      run(`await fetch('https://a.example', { headers: { 'x\\r\\nhost': 'b' } })`),
      /cannot be sent/,
    );
    await failsWith(
      'code_failed',
      run(`await fetch('https://a.example', { headers: { x: 'a\\r\\nhost: b' } })`),
      /cannot be sent/,
    );
    await failsWith(
      'code_failed',
      run(`await fetch('https://a.example', { method: 'CONNECT' })`),
      /cannot be sent/,
    );
  });
});

describe('what is answered from outside the isolate is answered by texts', () => {
  test('a changed prototype reaches nothing but the code itself', async () => {
    const poison = `
      Object.prototype.url = 'http://127.0.0.1/'; Object.prototype.get = () => 1; Array.prototype.map = () => ['x'];
      String.prototype.startsWith = () => true; JSON.parse = () => ({ base64: 'AAAA', value: 'forged' });`;
    await run(`${poison} try { new URL('https://a.example/'); crypto.randomUUID(); } catch {} return 1`);
    assert.match(String(await run('return crypto.randomUUID()')), /^[\da-f-]{36}$/);
    assert.equal(await run(`return new URL('https://a.example/').href`), 'https://a.example/');
  });

  test('digests, random bytes and addresses that make no sense are errors of the code', async () => {
    await failsWith(
      'code_failed',
      run(`return require('crypto').createHash('nope').digest('hex')`),
      /"nope" is not known/,
    );
    await failsWith('code_failed', run(`return require('crypto').randomBytes(1e9)`), /random bytes/);
    await failsWith('code_failed', run(`return new URL('http://')`), /Invalid URL/);
    await failsWith(
      'code_failed',
      run(`return await crypto.subtle.digest('SHA-256', { length: 1e9 })`),
      /ArrayBuffer/,
    );
    assert.equal(await run('return 1'), 1);
  });

  test('buffers are bounded by the memory of the run', async () => {
    const error = await run('const a = []; for (;;) a.push(Buffer.alloc(1e7, 1))', {
      memoryMb: 64,
      timeoutMs: 20_000,
    }).catch((e: unknown) => e);
    assert.ok(
      error instanceof AppError &&
        (error.code === 'code_out_of_memory' || /allocation failed/.test(error.message)),
      String(error),
    );
    assert.equal(await run('return 1'), 1);
  });

  test('variables are names and JSON, 1 MB of them at most', async () => {
    for (const name of ['__proto__', 'constructor', '', 'x'.repeat(201)]) {
      await failsWith(
        'code_failed',
        run(`workflow.setVariable(${JSON.stringify(name)}, 1)`),
        /cannot be the name of a variable/,
      );
    }
    await failsWith(
      'code_failed',
      run(`workflow.setVariable('a', JSON.parse('{"__proto__":{"x":1}}'))`),
      /"__proto__"/,
    );
    await failsWith('code_failed', run(`workflow.setVariable('a', 'x'.repeat(2e6))`), /larger than 1 MB/);
    await failsWith('code_failed', run(`workflow.setVariable('a', 1n)`), /BigInt/);
  });

  test('bodies that are not UTF-8 and headers of bytes are no way around the door', async () => {
    await failsWith(
      'code_failed',
      run(
        `await fetch(${JSON.stringify(secret.url)}, { method: 'POST', body: new Uint8Array([255, 0]), headers: { host: 'x' } })`,
      ),
      /refused/,
    );
    assert.equal(secret.hits(), 0);
  });
});

describe('Python stands behind the same walls', () => {
  const python = async (code: string, options: { timeoutMs?: number; memoryMb?: number } = {}) =>
    (await sandbox.runCode({ language: 'python', code, params: {}, timeoutMs: 10_000, ...options })).output;
  const lines = (...text: string[]) => ['def yourFunction(params):', ...text.map((l) => `  ${l}`)].join('\n');

  test('its bridge to JavaScript leads into the isolate and no further', async () => {
    const names = ['process', 'WebAssembly', '__connect', '__parts', 'window', 'SharedArrayBuffer'];
    assert.deepEqual(
      await python(`import js\n${lines(`return [n for n in ${JSON.stringify(names)} if hasattr(js, n)]`)}`),
      [],
    );
    await failsWith(
      'code_failed',
      python(`import js\n${lines('return js.require("fs")')}`),
      /There is no library "fs"/,
    );
    assert.equal(
      await python(
        `import js\n${lines(`return js.eval("Function('return typeof process + typeof WebAssembly')()")`)}`,
      ),
      'undefinedundefined',
    );
  });

  test('its file system is a handful of names in memory', async () => {
    assert.deepEqual(
      await python(
        `import os\n${lines('return [n for n in os.listdir("/") if n in ("etc", "root", "usr")]')}`,
      ),
      [],
    );
    await failsWith('code_failed', python(lines('return open("/etc/passwd").read()')), /ENOENT|OSError/);
    await python(lines('open("/left", "w").write("secret")', 'return 1'));
    await failsWith('code_failed', python(lines('return open("/left").read()')), /OSError/);
  });

  test('endless loops, endless recursion and endless memory end the run and the pool goes on', async () => {
    await failsWith('code_timeout', python(lines('while True: pass'), { timeoutMs: 500 }));
    await failsWith('code_failed', python(lines('def f(): return f()', 'return f()')), /recursion/);
    await failsWith(
      'code_out_of_memory',
      python(lines('a = []', 'while True: a.append(bytearray(1000000))'), { memoryMb: 32 }),
    );
    assert.equal(await python(lines('return 1')), 1);
  });

  test('a request that is waited for is refused inside, and ends with the time of the run', async () => {
    await failsWith(
      'code_failed',
      python(`import requests\n${lines(`return requests.get(${JSON.stringify(secret.url)}).text`)}`),
      /refused/,
    );
    await failsWith(
      'code_failed',
      python(`import requests\n${lines('return requests.get("file:///etc/passwd").text')}`),
      /not an absolute http/,
    );
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
    const door = createOutbound({ allow: ['127.0.0.0/8'], clock: systemClock });
    const own = createSandbox({ processes: 1, outbound: door, log });
    const { port } = silent.address() as AddressInfo;
    const code = `import requests\n${lines(`return requests.get("http://127.0.0.1:${port}/").text`)}`;
    await failsWith('code_timeout', own.runCode({ language: 'python', code, params: {}, timeoutMs: 500 }));
    assert.equal((await own.runCode({ code: body('return 1'), params: {} })).output, 1);
    await own.close();
    await door.close();
    silent.closeAllConnections();
    silent.close();
  });
});

describe('JSONata runs under the same guard', () => {
  test('it transforms, and its errors are told', async () => {
    const input = { items: [{ qty: 2 }, { qty: 3 }] };
    assert.equal(await sandbox.runJsonata({ expression: '$sum(items.qty)', input }), 5);
    assert.deepEqual(await sandbox.runJsonata({ expression: '{"n": items[0].qty}', input }), { n: 2 });
    await failsWith('code_failed', sandbox.runJsonata({ expression: '$sum(', input }), /./);
  });

  test('expressions of one tenant keep nothing for the next, and outlive the isolates they share', async () => {
    const tenant = { orgId: 'a'.repeat(24), environment: 'test' as const };
    const other = { ...tenant, environment: 'production' as const };
    const evaluate = (expression: string, input: unknown = {}, by = tenant as typeof tenant | typeof other) =>
      sandbox.runJsonata({ expression, input, tenant: by });
    assert.equal(await evaluate('$kept := 5'), 5);
    assert.equal(await evaluate('$kept'), null);
    await evaluate('$ ~> |__proto__|{"polluted": 1}|').catch(() => undefined);
    await evaluate('$merge([{"__proto__": {"polluted": 1}}]).n').catch(() => undefined);
    for (const by of [tenant, other]) assert.equal(await evaluate('polluted', {}, by), null);
    await failsWith('code_failed', evaluate('$error("no")'));
    // Past the last run of an isolate, in turns with a tenant that gets its own.
    for (let n = 0; n < 600; n += 1) {
      assert.equal(await evaluate('n + 1', { n }), n + 1);
      if (n % 100 === 0) assert.equal(await evaluate('n * 2', { n }, other), n * 2);
    }
    // More tenants than isolates are kept.
    for (const letter of 'bcdefgh') {
      assert.equal(await evaluate('n', { n: letter }, { ...tenant, orgId: letter.repeat(24) }), letter);
    }
    assert.equal(await run('return 1 + 1'), 2);
  });

  test('endless recursion and prototypes', async () => {
    await failsWith(
      'code_timeout',
      sandbox.runJsonata({
        expression: '($f := function($n) { $f($n + 1) }; $f(0))',
        input: {},
        timeoutMs: 500,
      }),
    );
    const reached = await sandbox
      .runJsonata({ expression: '$constructor := __proto__.constructor; $constructor', input: {} })
      .catch(() => null);
    assert.equal(reached, null);
  });
});

describe('even the process around the isolate has nothing', () => {
  /** Runs a script as if it had broken out of the isolate into the sandbox process. */
  async function brokenOut(script: string): Promise<string> {
    const { jail, first } = await findJail(await guestBoot());
    first.kill();
    const program = jail.command.findIndex((part) => part.endsWith('child.ts'));
    const child = startJailed({ name: 'test', command: [...jail.command.slice(0, program), '-e', script] });
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr?.resume(); // Node warns about addons there
    await new Promise((resolve) => child.on('close', resolve));
    return output.trim();
  }
  const attempt = (expression: string) =>
    `Promise.resolve().then(() => ${expression}).then((v) => console.log('GOT', v), (e) => console.log(e.code ?? e.message))`;

  test('no environment', async () =>
    assert.equal(await brokenOut('console.log(JSON.stringify(process.env))'), '{}'));
  test('no files', async () => {
    for (const file of ['/etc/passwd', '/proc/self/environ', `${process.cwd()}/package.json`]) {
      assert.equal(
        await brokenOut(attempt(`require('fs').readFileSync(${JSON.stringify(file)}, 'utf8')`)),
        'ERR_ACCESS_DENIED',
      );
    }
    assert.equal(
      await brokenOut(attempt(`require('fs').writeFileSync('/tmp/escaped', 'x')`)),
      'ERR_ACCESS_DENIED',
    );
  });
  test('no other programs, no threads', async () => {
    assert.equal(await brokenOut(attempt(`require('child_process').execSync('id')`)), 'ERR_ACCESS_DENIED');
    assert.equal(
      await brokenOut(attempt(`new (require('worker_threads').Worker)('1', { eval: true })`)),
      'ERR_ACCESS_DENIED',
    );
  });
  test('no root, when we are root', { skip: process.getuid?.() !== 0 }, async () => {
    assert.equal(
      await brokenOut('console.log(process.getuid(), process.getgid(), process.getgroups().join())'),
      '65534 65534 65534',
    );
  });
  test('no network, where the system lets us take it away', async (t) => {
    const { jail, first } = await findJail(await guestBoot());
    first.kill();
    if (!jail.name.includes('network')) return t.skip('this system grants no network namespace');
    const output = await brokenOut(
      `fetch(${JSON.stringify(secret.url)}).then((r) => console.log('GOT', r.status), (e) => console.log(e.cause?.code))`,
    );
    assert.match(output, /ENETUNREACH|ECONNREFUSED|EADDRNOTAVAIL/);
    assert.equal(secret.hits(), 0);
  });
});

test('a process that is killed fails its run in words and is replaced', async () => {
  const { first } = await findJail(await guestBoot());
  const work = first.run({
    kind: 'code',
    runs: [{ source: body('for (;;);'), input: '{}' }],
    memoryMb: 64,
    timeoutMs: 20_000,
    onConsole: () => undefined,
    onAsk: () => Promise.resolve('{}'),
  });
  setTimeout(() => process.kill(first.pid ?? 0, 'SIGKILL'), 50);
  await failsWith('code_failed', work, /sandbox process ended \(SIGKILL\)/);
  assert.equal(first.isAlive(), false);
});

test('many runs at once share few processes and each gets its own answer', async () => {
  const runs = Array.from({ length: 40 }, (_, i) =>
    run('await new Promise((r) => setTimeout(r, 1)); return params.i', { params: { i } }),
  );
  assert.deepEqual(
    await Promise.all(runs),
    Array.from({ length: 40 }, (_, i) => i),
  );
});

test("two runs of one organisation that never end do not hold up another's", async () => {
  const tenant = (orgId: string) => ({ orgId, environment: 'test' }) as const;
  const own = createSandbox({ processes: 2, outbound, log });
  const endless = [1, 2].map(() =>
    own.runCode({ code: body('for (;;);'), params: {}, tenant: tenant('greedy'), timeoutMs: 60_000 }),
  );
  const ends = Promise.allSettled(endless);
  const since = performance.now();
  const { output } = await own.runCode({
    code: body('return 42'),
    params: {},
    tenant: tenant('modest'),
    signal: AbortSignal.timeout(20_000),
  });
  assert.equal(output, 42);
  assert.ok(performance.now() - since < 20_000);
  await own.close();
  assert.deepEqual(
    (await ends).map(({ status }) => status),
    ['rejected', 'rejected'],
  );
});
