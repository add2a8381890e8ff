import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { Client } from 'pg';
import { figure, type Figure } from './figure.ts';

/** What this machine can do at all, measured in the run whose figures are judged by it. */

/**
 * Thousands of times a second that one core parses and writes a JSON document of 1 KB: the same work every day, so two
 * runs whose figures differ by as much as this one were made on a machine that was faster or slower, not by a change.
 */
export function jsonThousandsPerSecond(seconds = 0.5): number {
  const text = JSON.stringify(
    Array.from({ length: 16 }, (_, id) => ({ id, name: `Customer ${id}`, open: [1.5, true, null] })),
  );
  let count = 0;
  const begun = performance.now();
  while (performance.now() - begun < seconds * 1_000) {
    for (let turn = 0; turn < 100; turn += 1) JSON.stringify(JSON.parse(text));
    count += 100;
  }
  return count / (performance.now() - begun);
}

/** Flushes of one 8 KiB block to the disk that holds `folder`, a second. */
async function flushesPerSecond(folder: string, seconds = 1): Promise<number> {
  const name = path.join(folder, `bench-flush-${process.pid}`);
  const file = await open(name, 'w');
  const block = Buffer.alloc(8_192, 1);
  try {
    let count = 0;
    const begun = performance.now();
    while (performance.now() - begun < seconds * 1_000) {
      await file.write(block, 0, block.length, 0);
      await file.datasync();
      count += 1;
    }
    return count / ((performance.now() - begun) / 1_000);
  } finally {
    await file.close();
    await rm(name);
  }
}

/** Committed transactions of `rows` rows of 200 bytes each, one after the other on one connection, a second. */
async function commitsPerSecond(databaseUrl: string, rows: number, seconds = 1): Promise<number> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(
      'create table if not exists bench_row (id bigint generated always as identity, body text)',
    );
    const text = `insert into bench_row (body) select repeat('x', 200) from generate_series(1, ${rows})`;
    await client.query(text);
    let count = 0;
    const begun = performance.now();
    while (performance.now() - begun < seconds * 1_000) {
      await client.query(text);
      count += 1;
    }
    return count / ((performance.now() - begun) / 1_000);
  } finally {
    await client.query('drop table if exists bench_row');
    await client.end();
  }
}

/** The machine's limits as figures of their own, and the ones that other figures stand beside. */
export interface MachineLimits {
  readonly figures: readonly Figure[];
  readonly flushMs: number;
  readonly commitMs: number;
  /** Reference of whatever writes many rows in one commit. */
  readonly rows: { readonly name: string; readonly value: number; readonly unit: string };
}

/**
 * Measures what the disk and the database of this run can do at all.
 *
 * @param when - part of the figures' names, such as `before-burst`
 */
export async function machineLimits(
  when: string,
  dataDir: string,
  databaseUrl: string,
): Promise<MachineLimits> {
  const flushes = await flushesPerSecond(dataDir);
  const commits = await commitsPerSecond(databaseUrl, 1);
  const rows = (await commitsPerSecond(databaseUrl, 500)) * 500;
  return {
    figures: [
      figure(`machine.flushes.${when}`, flushes, '/s', '8 KiB blocks, one after the other, fdatasync'),
      figure(`machine.one-row-commits.${when}`, commits, '/s', 'rows of 200 bytes, one connection'),
      figure(`machine.rows-in-500-row-commits.${when}`, rows, 'rows/s', 'rows of 200 bytes, one connection'),
    ],
    flushMs: 1_000 / flushes,
    commitMs: 1_000 / commits,
    rows: { name: 'rows of 200 bytes in 500-row commits', value: rows, unit: 'rows/s' },
  };
}
