import { readFile, writeFile } from 'node:fs/promises';

const megabyte = 1024 * 1024;

/** Follows the resident memory of a process from now on, by what the kernel counts (Linux). In MB of 2^20 bytes. */
export async function peakMemory(
  pid: number,
): Promise<{ readonly beforeMb: number; peakMb(): Promise<number> }> {
  await writeFile(`/proc/${pid}/clear_refs`, '5'); // the peak begins anew
  return { beforeMb: await residentMb(pid), peakMb: () => fieldMb(pid, 'VmHWM') };
}

export function residentMb(pid: number): Promise<number> {
  return fieldMb(pid, 'VmRSS');
}

async function fieldMb(pid: number, field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`The process has no ${field}.`);
  return (Number(kilobytes) * 1024) / megabyte;
}
