import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import { StartupError } from '#domain/startup-error';
import type { Vault } from '#vault/index';

export interface AcmeCrm {
  readonly url: string;
  stop(): Promise<void>;
}

/** The OAuth client that Acme CRM knows us by. */
export const acmeClientId = 'inlay-demo';

/** Derived from the key ring: the same at every start, and it stands nowhere. */
export function acmeClientSecret(vault: Pick<Vault, 'deriveKey'>): string {
  return vault.deriveKey('acme-crm oauth client').toString('base64url');
}

export interface AcmeCrmOptions {
  readonly port: number;
  readonly dataDir: string;
  readonly clientSecret: string;
  readonly redirectUri: string;
  readonly log: Logger;
}

const program = path.resolve(import.meta.dirname, '../../../../examples/acme-crm/src/main.ts');

const endWithParent = path.join(import.meta.dirname, 'end-with-parent.ts');

/**
 * Starts the example application of the demo as a program of its own, since it plays a third party. It ends with
 * us, even when we are killed: its standard input closes then.
 */
export async function startAcmeCrm({
  port,
  dataDir,
  clientSecret,
  redirectUri,
  log,
}: AcmeCrmOptions): Promise<AcmeCrm> {
  const child = spawn(process.execPath, ['--max-semi-space-size=1', '--import', endWithParent, program], {
    // None of our settings and secrets.
    env: {
      ACME_PORT: String(port),
      ACME_DATA_DIR: dataDir,
      ACME_CLIENTS: JSON.stringify([
        {
          client_id: acmeClientId,
          client_secret: clientSecret,
          name: 'Inlay',
          redirect_uris: [redirectUri],
        },
      ]),
    },
    // A session of its own: Ctrl-C is for us, and we end it when the last request is answered.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let lastWords = '';
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastWords = line;
    log.debug({ line }, 'Acme CRM');
  });
  const exited = once(child, 'exit').then(() => undefined);
  const listening = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = listeningUrl(line);
      if (url !== undefined) resolve(url);
    });
  });
  const url = await Promise.race([listening, exited]);
  if (url === undefined) throw new StartupError(lastWords || 'Acme CRM ended before it listened.');
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function listeningUrl(line: string): string | undefined {
  try {
    const { event, url } = JSON.parse(line) as { event?: unknown; url?: unknown };
    return event === 'listening' && typeof url === 'string' ? url : undefined;
  } catch {
    return undefined; // not a line for us
  }
}
