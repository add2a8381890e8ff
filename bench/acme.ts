import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

const program = path.resolve(import.meta.dirname, '../examples/acme-crm/src/main.ts');

/** An Acme CRM of the bench's own, which limits nobody: the demo's answers 429 long before a bench is done. */
export async function startAcme(port: number): Promise<{ readonly url: string; stop(): void }> {
  const child = spawn(process.execPath, [program], {
    env: { ACME_PORT: String(port), ACME_RATE_LIMIT_PER_MINUTE: '100000000' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return { url: `http://localhost:${port}`, stop: () => void child.kill('SIGTERM') };
}
