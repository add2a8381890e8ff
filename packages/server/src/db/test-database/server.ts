import { chmod, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openEmbeddedPostgres, type EmbeddedPostgres } from '#db/embedded/index';

/**
 * The PostgreSQL that tests of this machine's user share: started once, adopted by every later run. Its data is
 * for throwing away, so it does not wait for the disk.
 */
export async function openTestServer(): Promise<EmbeddedPostgres> {
  const home = path.join(tmpdir(), `inlay-tests-${process.getuid?.() ?? 0}`);
  await mkdir(home, { recursive: true, mode: 0o755 });
  await chmod(home, 0o755);
  return openEmbeddedPostgres(home, {
    mayCreateDatabases: true,
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      autovacuum_naptime: '1min',
      max_connections: '300',
      shared_buffers: '64MB',
    },
  });
}
