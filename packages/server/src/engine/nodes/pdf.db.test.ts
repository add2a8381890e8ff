import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { PDFDocument } from '@cantoo/pdf-lib';
import { createNodeBench, type NodeBench } from '#engine/nodes/testing';
import { pdf } from '#engine/nodes/pdf';

/** The one `npm test` found, or where Debian and Ubuntu keep it; without a browser the tests that print are skipped. */
const chromium = [process.env['CHROMIUM'] ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser'].find(
  existsSync,
);
const needsBrowser = { skip: chromium === undefined && 'no Chromium on this machine' };

let bench: NodeBench;
let web: Server;
let webUrl: string;
const asked: string[] = [];
before(async () => {
  bench = await createNodeBench(undefined, chromium);
  web = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === '/missing') response.writeHead(404).end('no');
    else if (request.url === '/style.css')
      response.writeHead(200, { 'content-type': 'text/css' }).end('h1 { page-break-before: always }');
    else
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end('<link rel=stylesheet href=/style.css><h1>One</h1><h1>Two</h1>');
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  webUrl = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
});
after(async () => {
  web.close();
  web.closeAllConnections();
  await bench.close();
});

type Body = Record<string, unknown>;
const make = (settings: object, values?: object): Promise<Body> => bench.body(pdf, settings, values);
const refuse = (settings: object): Promise<string> => bench.failure(pdf, settings);
const open = async (body: Body, options: { password?: string } = {}): Promise<PDFDocument> =>
  PDFDocument.load(await bench.content(String(body['url'])), options);

async function pages(count: number, name: string): Promise<string> {
  const document = await PDFDocument.create();
  for (let n = 0; n < count; n += 1) document.addPage([300, 400]);
  return bench.store(name, Buffer.from(await document.save()), 'application/pdf');
}

test('PDFs are merged in their order, numbered and named', async () => {
  const body = await make({
    operation: 'merge',
    files: [await pages(2, 'a.pdf'), { url: await pages(1, 'b.pdf') }],
    page_numbers: 'true',
    title: 'Both',
    name: 'both',
    ttl: 60,
  });
  assert.equal(body['file_name'], 'both.pdf');
  assert.equal(typeof body['expires_at'], 'string');
  const document = await open(body);
  assert.equal(document.getPageCount(), 3);
  assert.equal(document.getTitle(), 'Both');
});

test('a password is needed to open what was made with one', async () => {
  const body = await make({ operation: 'merge', files: [await pages(1, 'a.pdf')], password: 'sesame' });
  const bytes = await bench.content(String(body['url']));
  assert.match(bytes.toString('latin1'), /\/Encrypt /);
  await assert.rejects(PDFDocument.load(bytes), /encrypted/i);
  assert.equal((await open(body, { password: 'sesame' })).getPageCount(), 1);
});

test('what is not a PDF is refused by its place in the list', async () => {
  const files = [await pages(1, 'a.pdf'), await bench.store('b.pdf', 'no pdf at all')];
  assert.match(await refuse({ operation: 'merge', files }), /cannot be read or written as PDF: document 2: /);
});

test('without a browser a page is refused with the setting that is missing, and merging works', async () => {
  const bare = await createNodeBench();
  try {
    const text = await bare.failure(pdf, { operation: 'html', html: '<p>x</p>' });
    assert.match(text, /INLAY_CHROMIUM/);
  } finally {
    await bare.close();
  }
});

test('HTML is printed on the paper asked for, with its values as text', needsBrowser, async () => {
  const html =
    '{{#each event.rows}}<h1 style="page-break-after:always">{{name}}</h1>{{/each}}<script>document.body.append("ran")</script>';
  const body = await make(
    {
      operation: 'html',
      html,
      format: 'a5',
      layout: 'landscape',
      footer_template: '<span class="pageNumber"></span>',
    },
    { rows: [{ name: '<script>' }, { name: 'B' }] },
  );
  const document = await open(body);
  assert.equal(document.getPageCount(), 3);
  const { width, height } = document.getPage(0).getSize();
  // Points; the browser rounds to pixels of its own.
  assert.ok(Math.abs(width - 595) < 2 && Math.abs(height - 420) < 2, `${width} x ${height}`);
});

test(
  'a page and what it loads come through the egress guard, and nothing else does',
  needsBrowser,
  async () => {
    const body = await make({ operation: 'url', url: `${webUrl}/page` });
    assert.ok(asked.includes('/page') && asked.includes('/style.css'));
    // Only the style sheet asks for the second page; a break before the first line makes none.
    assert.equal((await open(body)).getPageCount(), 2);
    assert.match(await refuse({ operation: 'url', url: `${webUrl}/missing` }), /answered with status 404/);
    assert.match(
      await refuse({ operation: 'url', url: 'http://169.254.169.254/' }),
      /are refused: .*machine credentials/,
    );
    const closed = await createNodeBench([], chromium);
    try {
      asked.length = 0;
      const html = `<img src="${webUrl}/pixel"><iframe src="file:///etc/passwd"></iframe><script>fetch("${webUrl}/x").catch(() => 0)</script>`;
      await closed.body(pdf, { operation: 'html', html, wait_ms: 200 });
      assert.deepEqual(asked, []);
    } finally {
      await closed.close();
    }
  },
);

test('a script that throws or never ends fails the node', needsBrowser, async () => {
  const html = '<p id=p>x</p>';
  assert.match(
    await refuse({ operation: 'html', html, script: 'throw new Error("no such box")' }),
    /script threw: .*no such box/,
  );
  const stop = new AbortController();
  const settings = pdf.settings.parse({ operation: 'html', html, script: 'for (;;) {}' });
  const running = Promise.resolve(pdf.run(settings, { ...bench.context, signal: stop.signal }));
  setImmediate(() => stop.abort(new Error('stopped')));
  await assert.rejects(running, /stopped/);
});

test('the log shows no password', () => {
  const given = pdf.settings.parse({ operation: 'html', html: 'x', password: 'hunter2' });
  assert.doesNotMatch(JSON.stringify(pdf.logged?.(given)), /hunter2/);
});

test('numbers and lengths may come as text, and wrong ones are refused by the name of the field', async () => {
  const html = { operation: 'html', html: 'x' };
  const given = pdf.settings.parse({
    ...html,
    width: '210mm',
    height: 96,
    viewport_width: '800',
    viewport_height: '600',
    wait_ms: '5',
  });
  assert.deepEqual([given.width?.toFixed(2), given.height, given.viewport_width], ['8.27', 1, 800]);
  const wrong: [object, RegExp][] = [
    [{ operation: 'docx' }, /^operation: use html, url or merge/],
    [{ operation: 'html' }, /^html: is what is printed/],
    [{ operation: 'url', url: 'file:///etc/passwd' }, /^url: is not an http/],
    [{ operation: 'merge' }, /^files: name the PDFs/],
    [{ ...html, format: 'letter' }, /^format: use A0 to A6/],
    [{ ...html, width: '10mm' }, /^height: width and height go together/],
    [{ ...html, width: '1e3', height: '5px' }, /^width: is not a length/],
    [{ ...html, viewport_width: 100 }, /^viewport_height: .*go together/],
    [{ ...html, margins: { top: 'wide' } }, /^margins\.top: is not a length/],
    [{ ...html, wait_ms: 60_000 }, /^wait_ms/],
  ];
  for (const [settings, text] of wrong) assert.match(await refuse(settings), text);
});
