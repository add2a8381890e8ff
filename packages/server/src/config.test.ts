import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { loadConfig, settingsReference } from '#config';

test('an empty environment starts with the documented defaults', () => {
  const config = loadConfig({}, { INLAY_PORT: '' });
  assert.equal(config.port, 4000);
  assert.equal(config.publicUrl, 'http://localhost:4000');
  assert.equal(config.databaseUrl, undefined);
  assert.equal(config.keyFile, path.join(config.dataDir, 'keys.json'));
  assert.equal(config.demo, true);
});

test('all wrong settings are named at once, each with a value that would be right', () => {
  const environment = {
    INLAY_PORT: 'four',
    INLAY_EGRESS_ALLOW: '10.0.0.0/8,localhost',
    INLAY_PUBLIC_URL: 'inlay.example.com',
    INLAY_ROLE: 'boss',
  };
  assert.throws(
    () => loadConfig({}, environment),
    (error: Error) => {
      assert.equal(error.name, 'StartupError');
      for (const [name, value] of Object.entries(environment)) {
        assert.match(
          error.message,
          new RegExp(`${name} "${value.replaceAll('.', '\\.')}" .*For example: ${name}=`),
        );
      }
      return true;
    },
  );
});

test('a wrong DATABASE_URL is not repeated, since it holds a password', () => {
  assert.throws(
    () => loadConfig({}, { DATABASE_URL: 'mysql://root:hunter2@db/x' }),
    (error: Error) =>
      /DATABASE_URL is not a postgresql:\/\/ URL/.test(error.message) && !error.message.includes('hunter2'),
  );
});

test('a misspelt setting is refused, not ignored', () => {
  assert.throws(() => loadConfig({}, { INLAY_PROT: '1' }), /INLAY_PROT is not a setting/);
});

test('example secrets are refused', () => {
  assert.throws(
    () => loadConfig({}, { INLAY_MASTER_KEY: 'changeme' }),
    /INLAY_MASTER_KEY is an example value/,
  );
  assert.throws(
    () => loadConfig({}, { INLAY_APP_GONG_CLIENT_ID: 'abc', INLAY_APP_GONG_CLIENT_SECRET: 'your-secret' }),
    /INLAY_APP_GONG_CLIENT_SECRET is an example value/,
  );
});

test("an app's own OAuth client is found by slug, and half of one is refused", () => {
  const { appCredentials } = loadConfig(
    {},
    { INLAY_APP_ACME_CRM_CLIENT_ID: 'abc', INLAY_APP_ACME_CRM_CLIENT_SECRET: 's3cr3t-value' },
  );
  assert.deepEqual({ ...appCredentials }, { 'acme-crm': { clientId: 'abc', clientSecret: 's3cr3t-value' } });
  assert.throws(
    () => loadConfig({}, { INLAY_APP_GONG_CLIENT_ID: 'abc' }),
    /INLAY_APP_GONG_CLIENT_SECRET is missing/,
  );
});

test('flags win over the environment', () => {
  const config = loadConfig({ role: 'worker', port: '5000' }, { INLAY_ROLE: 'api', INLAY_PORT: '6000' });
  assert.deepEqual([config.role, config.port, config.publicUrl], ['worker', 5000, 'http://localhost:5000']);
});

test('only the demo opens an address of this machine, and only that of Acme CRM', () => {
  assert.deepEqual(loadConfig({ demo: false }, { INLAY_EGRESS_ALLOW: '10.1.0.0/16' }).egressAllow, [
    '10.1.0.0/16',
  ]);
  assert.deepEqual(loadConfig({ demo: true }, { INLAY_ACME_PORT: '4499' }).egressAllow, [
    '127.0.0.1:4499',
    '[::1]:4499',
  ]);
});

test('a mail server comes with a sender, and its password is never repeated', () => {
  const from = { INLAY_MAIL_FROM: 'Inlay <no-reply@example.com>' };
  assert.deepEqual(
    loadConfig({}, { ...from, INLAY_SMTP_URL: 'smtps://me%40x:p%3Aw@mail.example.com' }).mail,
    {
      smtp: { host: 'mail.example.com', port: 465, security: 'tls', username: 'me@x', password: 'p:w' },
      from: from.INLAY_MAIL_FROM,
    },
  );
  assert.equal(loadConfig({}, { ...from, INLAY_SMTP_URL: 'smtp://[::1]:25?tls=off' }).mail?.smtp.host, '::1');
  assert.throws(() => loadConfig({}, { INLAY_SMTP_URL: 'smtp://mail.example.com' }), /go together/);
  assert.throws(
    () => loadConfig({}, { ...from, INLAY_SMTP_URL: 'http://u:hunter2@mail.example.com' }),
    (error: Error) =>
      /INLAY_SMTP_URL is not an smtp/.test(error.message) && !error.message.includes('hunter2'),
  );
  assert.throws(() => loadConfig({}, { INLAY_MAIL_FROM: 'nobody' }), /INLAY_MAIL_FROM "nobody"/);
});

test('the settings are frozen to the bottom', () => {
  const config = loadConfig({}, {});
  assert.ok(
    Object.isFrozen(config) && Object.isFrozen(config.egressAllow) && Object.isFrozen(config.appCredentials),
  );
});

test('docs/settings.md lists every setting as it is', async () => {
  const file = path.resolve(import.meta.dirname, '../../../docs/settings.md');
  assert.equal(await readFile(file, 'utf8'), settingsReference(), 'run "npm run docs"');
});
