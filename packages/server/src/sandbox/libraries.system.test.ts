import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '#domain/clock';
import { createOutbound } from '#outbound/index';
import type { Outbound } from '#outbound/index';
import { createSandbox } from '#sandbox/index';
import type { CodeLanguage, Sandbox } from '#sandbox/index';

/** What an author of code may count on: libraries, globals, requests, variables, in both languages. */

let outbound: Outbound;
let sandbox: Sandbox;
let echo: { url: string; close: () => void };

before(async () => {
  outbound = createOutbound({ allow: ['127.0.0.0/8'], clock: systemClock });
  sandbox = createSandbox({
    processes: 1,
    outbound,
    log: { info: () => undefined, warn: () => undefined } as never,
  });
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    request.on('end', () => {
      if (request.url === '/bytes') return response.end(Buffer.from([255, 216, 0, 1]));
      response.statusCode = request.url === '/missing' ? 404 : 200;
      response.setHeader('content-type', 'application/json');
      return response.end(
        JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }),
      );
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  echo = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  };
});
after(async () => {
  await sandbox.close();
  await outbound.close();
  echo.close();
});

const run = async (code: string, language: CodeLanguage = 'javascript') =>
  (await sandbox.runCode({ code, language, params: { url: echo.url } })).output;
const body = (lines: string) => `async function yourFunction(params) { ${lines} }`;

const facts: readonly (readonly [name: string, lines: string, expected: unknown])[] = [
  ['lodash', `return [_.sum([1, 2]), require('lodash/chunk')([1, 2, 3], 2)]`, [3, [[1, 2], [3]]]],
  ['date-fns', `return dateFns.format(new Date(2024, 0, 31), 'yyyy-MM-dd')`, '2024-01-31'],
  ['cheerio', `return cheerio.load('<p class=a>caf&eacute;</p>')('.a').text()`, 'café'],
  ['fast-xml-parser', `return new XMLParser().parse('<a><b>1</b></a>')`, { a: { b: 1 } }],
  ['fuse.js', `return new Fuse(['apple', 'pear']).search('aple')[0].item`, 'apple'],
  ['uuid', `return uuid.validate(require('uuid').v4())`, true],
  ['mime', `return require('mime').getType('a.pdf')`, 'application/pdf'],
  ['number-to-words', `return require('number-to-words').toWords(42)`, 'forty-two'],
  ['url', `return require('url').parse('http://a.example/b?c=1').query`, 'c=1'],
  ['Buffer', `return Buffer.from('hé').toString('base64')`, 'aMOp'],
  ['atob and btoa', `return atob(btoa('abc'))`, 'abc'],
  [
    'TextEncoder and TextDecoder',
    `return new TextDecoder().decode(new TextEncoder().encode('hé€😀'))`,
    'hé€😀',
  ],
  ['structuredClone', `return structuredClone(new Map([['a', [1]]])).get('a')`, [1]],
  [
    'URL and its parameters',
    `const u = new URL('../x?a=1', 'https://a.example/p/q/'); u.searchParams.append('b', 'c d'); u.hash = 'e';
     return [u.href, u.host, [...new URLSearchParams('?a=1&a=2').getAll('a')], URL.canParse('nope')]`,
    ['https://a.example/p/x?a=1&b=c+d#e', 'a.example', ['1', '2'], false],
  ],
  [
    "Node's and the Web's digests",
    `const key = await crypto.subtle.importKey('raw', new TextEncoder().encode('k'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
     const signed = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode('d'));
     const { createHmac, createHash } = require('crypto');
     return [
       Buffer.from(signed).toString('hex') === createHmac('sha256', 'k').update('d').digest('hex'),
       createHash('md5').update('abc').digest('hex'),
       crypto.getRandomValues(new Uint8Array(4)).length,
     ]`,
    [true, '900150983cd24fb0d6963f7d28e17f72', 4],
  ],
  [
    "the global crypto is Node's and the Web's",
    `return [
       crypto.createHmac('sha256', 'k').update('d').digest('hex') ===
         require('crypto').createHmac('sha256', 'k').update('d').digest('hex'),
       crypto.createHash('md5').update('abc').digest('hex'),
       crypto.timingSafeEqual(Buffer.from('a'), Buffer.from('a')),
       crypto.randomBytes(3).length,
     ]`,
    [true, '900150983cd24fb0d6963f7d28e17f72', true, 3],
  ],
];

describe('JavaScript', () => {
  for (const [name, lines, expected] of facts) {
    test(`${name} works`, async () => assert.deepEqual(await run(body(lines)), expected));
  }

  test('imports are read as libraries and keep the lines of the author', async () => {
    const code = `import axios from 'axios';
import { format as show,
  addDays } from 'date-fns';
import _, { chunk } from 'lodash';
import * as xml from 'fast-xml-parser';
export default async function yourFunction(params) {
  const { default: mime } = await import('mime');
  if (params.fails) throw new Error('import { a } from "b"');
  return [typeof axios.get, show(addDays(new Date(2024, 0, 31), 1), 'MM'), _.sum([1, 2]), chunk([1, 2], 1), typeof xml.XMLParser, mime.getType('a.png')];
}`;
    assert.deepEqual(await run(code), ['function', '02', 3, [[1], [2]], 'function', 'image/png']);
    await assert.rejects(
      sandbox.runCode({ code, params: { fails: true } }),
      /import \{ a \} from "b" \(line 8\)/,
    );
  });

  test('axios sends parameters, bodies and credentials, and throws its own errors', async () => {
    assert.deepEqual(
      await run(
        body(`const { data, status } = await axios.create({ baseURL: params.url }).post('/a', { x: 1 },
          { params: { q: [1, 2] }, headers: { 'X-Own': 'b' }, auth: { username: 'u', password: 'p' } });
          return [status, data.method, decodeURI(data.url), data.body, data.headers['x-own'], data.headers.authorization]`),
      ),
      [200, 'POST', '/a?q[]=1&q[]=2', '{"x":1}', 'b', 'Basic dTpw'],
    );
    assert.deepEqual(
      await run(
        body(`try { await axios.get(params.url + '/missing') }
          catch (e) { return [axios.isAxiosError(e), e.response.status, e.code, e.response.data.url] }`),
      ),
      [true, 404, 'ERR_BAD_REQUEST', '/missing'],
    );
  });

  test('bytes come and go unchanged', async () => {
    assert.deepEqual(
      await run(
        body(`const got = await (await fetch(params.url + '/bytes')).arrayBuffer();
          const { data } = await axios.get(params.url + '/bytes', { responseType: 'arraybuffer' });
          const sent = await (await fetch(params.url, { method: 'POST', body: new Uint8Array([255, 0]) })).json();
          return [[...new Uint8Array(got)], [...data], sent.body.length]`),
      ),
      [[255, 216, 0, 1], [255, 216, 0, 1], 2],
    );
  });

  test('variables are read as given, and only those that were set come back', async () => {
    const result = await sandbox.runCode({
      code: body(`workflow.setVariable('count', workflow.getVariable('count') + 1);
        return [workflow.getVariable('count'), workflow.getVariable('none') === undefined]`),
      params: {},
      variables: { count: 1, other: 'kept' },
    });
    assert.deepEqual([result.output, result.variables], [[2, true], { count: 2 }]);
  });
});

describe('Python', () => {
  test('yourFunction may be async; print goes to the console', async () => {
    const { output, console } = await sandbox.runCode({
      language: 'python',
      code: `import asyncio, re, json, datetime
async def yourFunction(params):
    print("hello", 1)
    await asyncio.sleep(0)
    return {"year": datetime.date(2024, 1, 31).year, "word": re.sub("a+", "b", params["word"]), "none": None, "list": [True, 1.5]}`,
      params: { word: 'caat' },
    });
    assert.deepEqual(output, { year: 2024, word: 'cbt', none: null, list: [true, 1.5] });
    assert.deepEqual(console, [{ level: 'info', text: 'hello 1' }]);
  });

  test('requests goes through the one door', async () => {
    const code = `import requests
def yourFunction(params):
    r = requests.post(params["url"] + "/x", json={"a": 1}, params={"q": "é b"}, auth=("u", "p"))
    missing = requests.get(params["url"] + "/missing")
    try:
        missing.raise_for_status()
    except requests.HTTPError as error:
        return [r.status_code, r.json()["url"], r.json()["body"], r.json()["headers"]["authorization"], missing.ok]`;
    assert.deepEqual(await run(code, 'python'), [200, '/x?q=%C3%A9%20b', '{"a": 1}', 'Basic dTpw', false]);
  });

  test('errors name the line of the author; what is not there is said', async () => {
    const failing = (code: string, text: RegExp) => assert.rejects(run(code, 'python'), text);
    await failing(
      'def yourFunction(params):\n  x = 1\n  return x / 0',
      /ZeroDivisionError: divide by zero \(line 3\)/,
    );
    await failing('def yourFunction(params)\n  return 1', /SyntaxError: invalid syntax \(line 1\)/);
    await failing('def other(params): return 1', /defines no function "def yourFunction/);
    await failing('import pandas\ndef yourFunction(p): return 1', /pandas is not available/);
    await failing('def yourFunction(p): return {1, 2}', /JSON cannot/);
  });

  test('variables are the same ones as in JavaScript', async () => {
    const { output, variables } = await sandbox.runCode({
      language: 'python',
      code: 'import workflow\ndef yourFunction(p):\n  workflow.setVariable("n", workflow.getVariable("n") + [2])\n  return 1',
      params: {},
      variables: { n: [1] },
    });
    assert.deepEqual([output, variables], [1, { n: [1, 2] }]);
  });
});
