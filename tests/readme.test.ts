/** The README is what a newcomer types: its journey is run here by bash, word for word. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { demoApiKey } from '../examples/acme-crm/src/seed.ts';
import { startInlay, until, type RunningInlay } from './inlay.ts';

let inlay: RunningInlay;
/** The lines of the journey, with the key and the address that this `npm start` printed. */
let lines: readonly string[];
before(async () => {
  inlay = await startInlay();
  const readme = await readFile(path.resolve(import.meta.dirname, '../README.md'), 'utf8');
  const [, block] = /## The journey in ten lines\n[^]*?```bash\n([^]*?)```/.exec(readme) ?? [];
  assert.ok(block, 'README.md has a bash block under "The journey in ten lines"');
  assert.match(block, /^KEY=tk\.\.\./m);
  assert.match(block, /http:\/\/localhost:4000\b/);
  lines = block
    .replace(/^KEY=tk\.\.\./m, `KEY=${inlay.keys.test}`)
    .replaceAll('http://localhost:4000', inlay.url)
    .trim()
    .split('\n');
});
after(() => inlay?.stop());

/** Runs lines in a fresh bash; what each `curl` answered, in order. */
async function type(script: readonly string[]): Promise<string[]> {
  // Every curl on a line of its own; those inside $( ) give their output to a variable.
  const marked = script.flatMap((line) => (line.startsWith('curl ') ? [line, 'printf "\\0"'] : [line]));
  const { stdout } = await promisify(execFile)('bash', ['-e', '-u', '-c', marked.join('\n')]);
  return stdout.split('\0').slice(0, -1);
}

// oxlint-disable-next-line typescript/no-explicit-any -- the shapes are what is looked at
const parsed = (answer: string | undefined): any => JSON.parse(answer ?? '');

test('the lines of the journey, as they stand there, put a contact into Acme CRM', async () => {
  const eventAt = lines.findIndex((line) => line.startsWith('# 3.'));
  assert.ok(eventAt > 0, 'step 3 sends the event');
  const commands = lines.filter((line) => !line.startsWith('#'));
  assert.ok(commands.length <= 10, `${commands.length} lines are more than ten`);

  const [made, hosted] = (await type(lines.slice(0, eventAt))).map(parsed);
  assert.equal(made.account_id, 'acct-1');
  assert.equal(new URL(hosted.hosted_url).origin, inlay.url);

  // What the customer does in the portal, by the calls that its page makes.
  const opened = await inlay.call('POST', '/api/portal/session', {
    body: { token: new URL(hosted.hosted_url).pathname.split('/').at(-1) },
    headers: { origin: inlay.url },
  });
  const asCustomer = async (method: string, route: string, body: unknown) => {
    const answer = await inlay.call(method, `/api/v2/${route}`, { token: opened.body.token, body });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  };
  await asCustomer('POST', 'app/acme-crm/save', { apiKey: demoApiKey });
  const { workflows } = await asCustomer('POST', 'f-sdk/config', { slug: 'acme-crm' });
  assert.equal(workflows.length, 1, 'the demo ships one workflow');
  const fields = Object.fromEntries(
    workflows[0].fields.map((field: { id: string }) => [field.id, 'lead'] as const),
  );
  const saved = await asCustomer('PUT', 'f-sdk/config', {
    slug: 'acme-crm',
    workflows: [{ id: workflows[0].id, enabled: true, fields }],
  });
  assert.deepEqual(saved.field_errors ?? [], []);

  const settings = lines.filter((line) => /^(KEY|API)=/.test(line));
  const [sent] = (await type([...settings, ...lines.slice(eventAt, eventAt + 2)])).map(parsed);
  assert.ok(sent.message !== undefined, JSON.stringify(sent));

  const created = await until(async () => {
    const answer = await fetch(`${inlay.acmeUrl}/api/v1/contacts`, { headers: { 'x-acme-key': demoApiKey } });
    const { data } = (await answer.json()) as { data: { name: string; email: string }[] };
    return data.find(({ email }) => email === 'arya@winterfell.example');
  });
  assert.equal(created.name, 'Arya Stark');

  const log = await until(async () => {
    const [answer] = (await type([...settings, ...lines.slice(eventAt + 2)])).map(parsed);
    return answer.docs[0]?.status === 'COMPLETED' ? answer : undefined;
  });
  assert.equal(log.docs.length, 1);
  const { body: execution } = await inlay.call('GET', `/api/v2/public/execution/${log.docs[0]._id}`, {
    linkedAccountId: 'acct-1',
  });
  assert.deepEqual(
    execution.nodes.map((node: { node_status: string }) => node.node_status),
    ['Success', 'Success', 'Success'],
    'the log shows every step',
  );
});

test('every file and picture that the README points to is there', async () => {
  const root = path.resolve(import.meta.dirname, '..');
  const readme = await readFile(path.join(root, 'README.md'), 'utf8');
  const targets = [...readme.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map(([, target]) => target!);
  assert.ok(targets.length > 5);
  for (const target of targets) await access(path.join(root, target));
});
