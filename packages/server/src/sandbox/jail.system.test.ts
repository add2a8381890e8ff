import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { possibleJails, startJailed, type Jail } from '#sandbox/jail';
import { guestBoot, startProcess } from '#sandbox/process';

/** Every jail that this machine allows, not only the strictest: what holds in each, and that code runs in it. */

const input = '{"n":41}';
const job = {
  kind: 'code',
  memoryMb: 256,
  timeoutMs: 20_000,
  onConsole: () => undefined,
  onAsk: () => Promise.resolve('{}'),
} as const;

/** What a script finds that has left the isolate. */
async function brokenOut(jail: Jail, script: string): Promise<string> {
  const program = jail.command.findIndex((part) => part.endsWith('child.ts'));
  const child = startJailed({ name: 'test', command: [...jail.command.slice(0, program), '-e', script] });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.resume(); // Node warns about addons there
  await new Promise((resolve) => child.on('close', resolve));
  return output.trim();
}

const boot = guestBoot();

for (const jail of possibleJails()) {
  test(`in the jail "${jail.name}" code runs, and nothing else is in reach`, async (t) => {
    const own = await startProcess(jail, await boot).catch(() => undefined);
    if (own === undefined) return t.skip('this machine does not allow it');
    const javascript = { source: 'function yourFunction({ n }) { return n + 1; }', input };
    assert.deepEqual(await own.run({ ...job, runs: [javascript] }), [{ result: '42' }]);
    const python = { source: 'def yourFunction(p): return p["n"] + 1', input };
    assert.deepEqual(await own.run({ ...job, kind: 'python', runs: [python] }), [{ result: '42' }]);
    own.kill();

    const attempts = [
      `JSON.stringify(process.env)`,
      `process.getuid()`,
      `Object.values(require('os').networkInterfaces()).flat().filter((i) => !i.internal).length`,
      `require('fs').readFileSync('/etc/passwd')`,
      `require('fs').writeFileSync('/tmp/escaped', 'x')`,
      `require('child_process').execSync('id')`,
      `new (require('worker_threads').Worker)('1', { eval: true })`,
    ];
    const script = `for (const attempt of ${JSON.stringify(attempts)}) { try { console.log(String(eval(attempt))) } catch (e) { console.log(e.code) } }`;
    const [environment, uid, links, ...denied] = (await brokenOut(jail, script)).split('\n');
    assert.equal(environment, '{}');
    assert.deepEqual(
      denied,
      attempts.slice(3).map(() => 'ERR_ACCESS_DENIED'),
    );
    if (jail.name.includes('own user')) assert.equal(uid, '65534');
    if (jail.name.includes('network')) assert.equal(links, '0');
    return undefined;
  });
}

const setpriv = '/usr/bin/setpriv';

test(
  'a server that is not root finds a jail too, and code runs in it',
  { skip: process.getuid?.() !== 0 || !existsSync(setpriv) },
  async (t) => {
    const script = `
      const { findJail, guestBoot } = await import(${JSON.stringify(`${import.meta.dirname}/process.ts`)});
      const { jail, first } = await findJail(await guestBoot());
      const runs = [{ source: 'function yourFunction() { return 42; }', input: '{}' }];
      const [{ result }] = await first.run({ kind: 'code', runs,
        memoryMb: 64, timeoutMs: 20000, onConsole() {}, onAsk: async () => '{}' });
      first.kill();
      console.log(process.getuid(), result, jail.name);`;
    const args = [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      '--no-new-privs',
      '--',
      process.execPath,
    ];
    const child = spawn(setpriv, [...args, '--input-type=module', '-e', script], {
      cwd: import.meta.dirname,
      env: {},
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let fault = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (fault += chunk.toString()));
    await new Promise((resolve) => child.on('close', resolve));
    if (/EACCES|Permission denied/.test(fault)) return t.skip('the checkout is not readable for other users');
    assert.match(output, /^65534 42 (own network namespace|permission model only)\n$/, fault);
    return undefined;
  },
);
