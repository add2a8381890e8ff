import { findConnector } from '@inlay/connectors';
import { checkConnector, connectorFiles } from '@inlay/connectors/kit';
import { type ConnectorDeps, disk, loadConnector, slugsIn } from '#cli/connector-folder';

/** `inlay connector check [slug]`: prints every broken rule; the exit code says whether there were any. */
export async function checkConnectors(
  [slug]: readonly string[],
  { folder, print }: Pick<ConnectorDeps, 'folder' | 'print'>,
): Promise<number> {
  let count = 0;
  for (const name of slug === undefined ? slugsIn(folder) : [slug]) {
    const connector = await loadConnector(folder, name);
    const files = connectorFiles(connector, disk);
    const problems = await checkConnector(connector, files);
    if (findConnector(name) === undefined) {
      problems.push({ rule: 'catalogue', message: 'src/index.ts does not list it' });
    }
    count += problems.length;
    const size = `${Object.keys(connector.actions).length} actions, ${files.recordings.size} recordings`;
    print(problems.length === 0 ? `${name}: good (${size})` : `${name}: ${problems.length} to do`);
    for (const { rule, message } of problems) print(`  ${rule}: ${message}`);
  }
  return count === 0 ? 0 : 1;
}
