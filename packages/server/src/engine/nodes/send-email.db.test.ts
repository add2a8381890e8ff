import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { SMTPServer } from 'smtp-server';
import { createNodeBench, type NodeBench } from '#engine/nodes/testing';
import { sendEmail } from '#engine/nodes/send-email';

interface Received {
  readonly user: unknown;
  readonly from: string;
  readonly to: string[];
  readonly raw: string;
}

let bench: NodeBench;
let smtp: SMTPServer;
let web: Server;
let webUrl: string;
let port: number;
let received: Received[] = [];
/** What the server says to the message: 250 when undefined. */
let refusal: Error | undefined;

before(async () => {
  bench = await createNodeBench();
  smtp = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    authOptional: true,
    allowInsecureAuth: true,
    logger: false,
    onAuth: ({ username, password }, _session, done) =>
      password === 'right' ? done(null, { user: username }) : done(new Error('no such user')),
    onRcptTo: ({ address }, _session, done) =>
      address.startsWith('nobody')
        ? done(Object.assign(new Error('unknown'), { responseCode: 550 }))
        : done(),
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const from = session.envelope.mailFrom === false ? '' : session.envelope.mailFrom.address;
        const to = session.envelope.rcptTo.map(({ address }) => address);
        received.push({ user: session.user, from, to, raw: Buffer.concat(chunks).toString('latin1') });
        done(refusal);
      });
    },
  });
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  port = (smtp.server.address() as AddressInfo).port;
  web = createServer((request, response) => {
    if (request.url === '/missing') response.writeHead(404).end('no');
    else
      response
        .writeHead(200, { 'content-type': 'text/csv' })
        .end(request.url === '/big' ? Buffer.alloc(21 * 1024 * 1024) : 'a,b\n');
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  webUrl = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
});
beforeEach(() => {
  received = [];
  refusal = undefined;
});
after(async () => {
  await new Promise<void>((resolve) => smtp.close(() => resolve()));
  web.close();
  web.closeAllConnections();
  await bench.close();
});

const mail = (more: object = {}) => ({
  smtp: { host: '127.0.0.1', port, security: 'none' },
  from: 'Acme <billing@acme.example>',
  to: 'ann@example.com',
  subject: 'Hello',
  body: 'Plain words',
  ...more,
});

test('a message goes to every recipient, and Bcc is seen by none of them', async () => {
  const body = await bench.body(
    sendEmail,
    mail({
      to: 'ann@example.com, "Lee, Bob" <bob@example.com>',
      cc: ['cy@example.com'],
      bcc: 'dee@example.com',
    }),
  );
  const [message] = received;
  assert.deepEqual(message?.to, ['ann@example.com', 'bob@example.com', 'cy@example.com', 'dee@example.com']);
  assert.equal(message.from, 'billing@acme.example');
  assert.match(message.raw, /^To: ann@example.com, "Lee, Bob" <bob@example.com>\r$/m);
  assert.doesNotMatch(message.raw, /dee@example/);
  assert.deepEqual(body, {
    email_sent: true,
    message_id: body['message_id'],
    recipients: message.to,
    subject: 'Hello',
    sent_at: '2026-03-01T12:00:00.000Z',
    attachments_processed: 0,
    smtp_host: '127.0.0.1',
  });
  assert.ok(message.raw.includes(`Message-ID: ${String(body['message_id'])}`));
});

test('every attempt of a node has the same Message-ID', async () => {
  const settings = sendEmail.settings.parse(mail());
  await sendEmail.run(settings, bench.context);
  await sendEmail.run(settings, { ...bench.context, attempt: 2 });
  const ids = received.map(({ raw }) => /^Message-ID: (.+)\r$/m.exec(raw)?.[1]);
  assert.equal(ids.length, 2);
  assert.equal(ids[0], ids[1]);
  assert.equal(sendEmail.effect, 'once');
});

test('an HTML body knows each and if, and values in it are text', async () => {
  const template =
    '<ul>{{#each event.items}}<li>{{name}}</li>{{/each}}</ul>{{#if event.note}}x{{else}}no note{{/if}}';
  await bench.body(sendEmail, mail({ body: template }), { items: [{ name: '<script>' }, { name: 'B' }] });
  assert.match(received[0]?.raw ?? '', /Content-Type: text\/html/);
  assert.match(received[0]?.raw ?? '', /<ul><li>&lt;script&gt;<\/li><li>B<\/li><\/ul>no note/);
});

test('a body without a tag is text, unless it says otherwise', async () => {
  await bench.body(sendEmail, mail());
  await bench.body(sendEmail, mail({ body_type: 'html' }));
  assert.match(received[0]?.raw ?? '', /Content-Type: text\/plain/);
  assert.match(received[1]?.raw ?? '', /Content-Type: text\/html/);
});

test('a line break in any header field sends nothing more than the field', async () => {
  await bench.body(sendEmail, mail({ subject: 'Hi {{event.x}}' }), {
    x: 'a\r\nBcc: evil@example.com\r\n\r\nbody',
  });
  assert.match(received[0]?.raw ?? '', /^Subject: Hi a Bcc: evil@example.com body\r$/m);
  assert.deepEqual(received[0]?.to, ['ann@example.com']);
  for (const field of ['to', 'from', 'cc', 'bcc']) {
    const text = await bench.failure(sendEmail, mail({ [field]: 'a@example.com\r\nBcc: evil@example.com' }));
    assert.match(text, new RegExp(`^${field}: .*line break`));
  }
  await bench.body(
    sendEmail,
    mail({ attachments: [{ url: `${webUrl}/a.csv`, name: 'x.csv"\r\nX-Evil: 1' }] }),
  );
  assert.doesNotMatch(received[1]?.raw ?? '', /^X-Evil/m);
});

test('attachments are stored files and addresses on the internet', async () => {
  const stored = await bench.store('report.pdf', Buffer.from('%PDF-1.7'), 'application/pdf');
  const body = await bench.body(sendEmail, mail({ attachments: [stored, `${webUrl}/list.csv`] }));
  assert.equal(body['attachments_processed'], 2);
  const raw = received[0]?.raw ?? '';
  assert.match(raw, /Content-Type: application\/pdf; name=report.pdf/);
  assert.match(raw, /filename=list.csv/);
  assert.ok(raw.includes(Buffer.from('%PDF-1.7').toString('base64')));
});

test('an attachment that is too large or missing fails the node before the server hears of it', async () => {
  const big = await bench.failure(sendEmail, mail({ attachments: `${webUrl}/big` }));
  assert.match(big, /"big" is larger than 20 MB.*File Handler/);
  assert.match(await bench.failure(sendEmail, mail({ attachments: `${webUrl}/missing` })), /status 404/);
  assert.match(await bench.failure(sendEmail, mail({ attachments: ['f'.repeat(24)] })), /not found/);
  assert.equal(received.length, 0);
});

test('a mail server or an attachment inside the network is refused', async () => {
  const closed = await createNodeBench([]);
  try {
    assert.match(await closed.failure(sendEmail, mail()), /refused: .*INLAY_EGRESS_ALLOW/);
    const metadata = mail({ attachments: 'http://169.254.169.254/latest/meta-data/' });
    assert.match(await closed.failure(sendEmail, metadata), /refused: .*machine credentials/);
  } finally {
    await closed.close();
  }
});

test('what the server says decides whether another attempt can do harm', async () => {
  const retryOf = async (settings: object): Promise<string> => {
    const outcome = await bench.run(sendEmail, settings);
    return outcome.kind === 'failed' ? outcome.failure.retry : outcome.kind;
  };
  const auth = { host: '127.0.0.1', port, security: 'none', username: 'u' };
  assert.equal(await retryOf(mail({ smtp: { ...auth, password: 'wrong' } })), 'never');
  assert.equal(await retryOf(mail({ smtp: { ...auth, password: 'right' } })), 'done');
  assert.equal(received[0]?.user, 'u');
  assert.equal(await retryOf(mail({ to: 'nobody@example.com' })), 'never');
  assert.equal(await retryOf(mail({ smtp: { ...auth, port: 1 } })), 'safe');
  refusal = Object.assign(new Error('come back later'), { responseCode: 451 });
  assert.equal(await retryOf(mail()), 'safe');
  refusal = Object.assign(new Error('spam'), { responseCode: 554 });
  assert.equal(await retryOf(mail()), 'never');
});

test('recipients that the server does not know are named beside those that it took', async () => {
  const body = await bench.body(sendEmail, mail({ to: 'ann@example.com, nobody@example.com' }));
  assert.deepEqual([body['recipients'], body['rejected']], [['ann@example.com'], ['nobody@example.com']]);
});

test('without a server of its own a node sends by that of the environment, whose password nobody reads', async () => {
  const { tenant } = bench.context;
  assert.match(await bench.failure(sendEmail, mail({ smtp: '' })), /an SMTP server is missing/);
  assert.match(await bench.failure(sendEmail, mail({ smtp: undefined })), /an SMTP server is missing/);
  const setting = {
    host: '127.0.0.1',
    port,
    security: 'none',
    username: 'org',
    defaultFrom: 'Org <org@acme.example>',
  } as const;
  const shown = await bench.mail.changeSetting(tenant, { ...setting, password: 'right' });
  assert.equal(JSON.stringify(shown).includes('right'), false);
  const { rows } = await bench.database.pool.query('select * from mail_setting');
  assert.equal(JSON.stringify(rows).includes('right'), false);
  await bench.body(sendEmail, mail({ smtp: undefined, from: '' }));
  assert.deepEqual([received[0]?.user, received[0]?.from], ['org', 'org@acme.example']);
  // A password left out stays for the same server and user, and never follows to another one.
  await bench.mail.changeSetting(tenant, { ...setting, defaultFrom: null });
  assert.equal((await bench.mail.setting(tenant))?.hasPassword, true);
  await bench.mail.changeSetting(tenant, { ...setting, host: 'mail.evil.example' });
  assert.equal((await bench.mail.setting(tenant))?.hasPassword, false);
  await bench.mail.removeSetting(tenant);
});

test('the log shows no password of a mail server', () => {
  const given = sendEmail.settings.parse(
    mail({ smtp: { host: 'mail.example', username: 'u', password: 'hunter2' } }),
  );
  assert.doesNotMatch(JSON.stringify(sendEmail.logged?.(given)), /hunter2/);
});

test('wrong settings are refused by the name of the field', async () => {
  const wrong: [object, RegExp][] = [
    [{ to: '' }, /^to: name a recipient/],
    [{ to: 'not an address' }, /^to: "not an address" is not an e-mail address/],
    [{ to: 'Team: a@example.com, b@example.com;' }, /^to: .*is a group/],
    [{ from: 'a@example.com, b@example.com' }, /^from: name one sender/],
    [{ subject: '' }, /^subject: write a subject/],
    [{ body: '' }, /^body: write a body/],
    [{ smtp: { host: 'mail.example/../x', port: 25 } }, /^smtp\.host: is not a host name/],
    [{ smtp: { host: 'mail.example', port: 99_999 } }, /^smtp\.port/],
    [{ smtp: { host: 'mail.example', security: 'maybe' } }, /^smtp\.security: use tls/],
    [{ attachments: Array.from({ length: 21 }, () => 'https://x.example/a') }, /^attachments: name 20 files/],
    [{ attachments: [5] }, /^attachments\.0: is not a file/],
    [{ to: Array.from({ length: 501 }, (_, n) => `a${n}@example.com`) }, /^to: name 500 recipients/],
  ];
  for (const [settings, text] of wrong) assert.match(await bench.failure(sendEmail, mail(settings)), text);
});
