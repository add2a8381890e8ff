import { startAcmeCrm } from './server.ts';
import { readSettings } from './settings.ts';

async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const crm = await startAcmeCrm({
    ...settings,
    log: (message) => void process.stderr.write(`${message}\n`),
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    throw new Error(`port ${settings.port} is in use; set ACME_PORT to a free one, or to 0 for any`);
  });
  process.stdout.write(`${JSON.stringify({ event: 'listening', url: crm.url })}\n`);
  const stop = (): void => {
    void crm.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`Acme CRM cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
