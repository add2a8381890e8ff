import type { RunState } from '#boot/instance';

/** What `inlay start` and `inlay status` tell a person. */
export function banner(state: RunState): string {
  const rows: [string, string | undefined][] = [
    ['Dashboard', state.role === 'worker' ? undefined : state.dashboard],
    ['', state.owner === null ? undefined : `sign in as ${state.owner.email} with ${state.owner.password}`],
    ['API', state.role === 'worker' ? undefined : `${state.api}/api`],
    ['Reference', state.role === 'worker' ? undefined : state.reference],
    ['Test key', state.keys?.test],
    ['Production key', state.keys?.production],
    ['Demo portal', state.demo?.portalUrl],
    ['Acme CRM', state.acmeCrm ?? undefined],
    ['Database', state.database === 'embedded' ? 'embedded PostgreSQL' : 'DATABASE_URL'],
  ];
  const lines = rows
    .filter((row): row is [string, string] => row[1] !== undefined)
    .map(([label, value]) => `  ${label.padEnd(16)}${value}`);
  const what = state.role === 'all' ? '' : ` (${state.role})`;
  return `\nInlay ${state.version}${what} is ready.\n\n${lines.join('\n')}\n\n`;
}
