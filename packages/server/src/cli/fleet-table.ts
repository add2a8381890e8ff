import type { Fleet } from '#db/fleet';

/** Workers and queue for a person, in columns. */
export function fleetTable({ workers, queue }: Fleet): string {
  const rows = workers.map((worker) => [
    worker.role,
    `${worker.host}, process ${worker.pid}`,
    worker.slots === 0 ? `${worker.running} running` : `${worker.running} of ${worker.slots} running`,
    `up ${duration(worker.age_s)}`,
    worker.silent_s > 3 ? `silent for ${duration(Math.round(worker.silent_s))}` : '',
  ]);
  const waiting = queue.accounts.map((account) => [
    account.account_id ?? '(deleted)',
    account.environment,
    `${account.depth} waiting`,
    `oldest ${duration(account.oldest_s)}`,
  ]);
  const oldest = queue.oldest_s === null ? '' : `, the oldest for ${duration(queue.oldest_s)}`;
  const delayed = queue.delayed === 0 ? '' : `, ${queue.delayed} held until later`;
  return `  Workers\n${columns(rows)}\n  Queue           ${queue.depth} waiting${oldest}${delayed}\n${columns(waiting)}\n`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows
    .map((row) => `    ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd() + '\n')
    .join('');
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`;
}
