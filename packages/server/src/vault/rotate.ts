import type { Pool } from 'pg';
import { AppError } from '#domain/errors';
import { type SealedColumn, sealContext, sealedColumns } from '#vault/sealed-columns';
import type { Vault } from '#vault/vault';

/** What a walk over all sealed values found. */
export interface ReSealed {
  /** Values now sealed by the current key that were not before. */
  readonly resealed: number;
  /** Values that no key of the ring opens; they were left as they are. */
  readonly unreadable: number;
}

const batchSize = 500;

/**
 * Seals every stored secret anew with the current key, while the product runs: each value is replaced only if it
 * is still the one that was read, so a token refreshed meanwhile is never overwritten by an older one.
 */
export async function resealAll(deps: { readonly pool: Pool; readonly vault: Vault }): Promise<ReSealed> {
  let resealed = 0;
  let unreadable = 0;
  for (const column of Object.keys(sealedColumns) as SealedColumn[]) {
    const found = await resealColumn(deps, column);
    resealed += found.resealed;
    unreadable += found.unreadable;
  }
  return { resealed, unreadable };
}

/**
 * Refuses a key ring that does not belong to this database, at start rather than at the first customer's call.
 * One value is enough to tell: API keys exist from the first run on.
 *
 * @throws AppError `sealed_value_unreadable`
 */
export async function assertOpensStored(deps: { readonly pool: Pool; readonly vault: Vault }): Promise<void> {
  const { rows } = await deps.pool.query<{ id: string; key_sealed: Buffer }>(
    'select id, key_sealed from api_key order by id limit 1',
  );
  const [row] = rows;
  if (row !== undefined) deps.vault.open(row.key_sealed, sealContext('api_key.key_sealed', row.id));
}

/** How many stored secrets another key than the current one sealed. */
export async function countOldSealed(deps: { readonly pool: Pool; readonly vault: Vault }): Promise<number> {
  let count = 0;
  for (const name of Object.keys(sealedColumns) as SealedColumn[]) {
    const { table, column } = parts(name);
    const { rows } = await deps.pool.query<{ n: number }>(
      `select count(*)::int as n from ${table} where substring(${column} from 2 for 8) <> $1`,
      [Buffer.from(deps.vault.currentKeyId, 'hex')],
    );
    count += rows[0]?.n ?? 0;
  }
  return count;
}

async function resealColumn(
  { pool, vault }: { readonly pool: Pool; readonly vault: Vault },
  name: SealedColumn,
): Promise<ReSealed> {
  const { table, column, key } = parts(name);
  const keyList = key.join(', ');
  let resealed = 0;
  let unreadable = 0;
  for (let after: readonly unknown[] | undefined; ;) {
    // Names stand in our own table above; only values are parameters.
    const beyond =
      after === undefined ? '' : `and (${keyList}) > (${key.map((_, i) => `$${i + 3}`).join(', ')})`;
    const { rows } = await pool.query<Record<string, unknown>>(
      `select ${keyList}, ${column} as sealed from ${table}
       where substring(${column} from 2 for 8) <> $1 ${beyond} order by ${keyList} limit $2`,
      [Buffer.from(vault.currentKeyId, 'hex'), batchSize, ...(after ?? [])],
    );
    for (const row of rows) {
      const old = row['sealed'] as Buffer;
      const values = key.map((part) => row[part]);
      const context = sealContext(name, ...values.map(keyText));
      const plain = opened(vault, old, context);
      if (plain === undefined) {
        unreadable += 1;
        continue;
      }
      const { rowCount } = await pool.query(
        `update ${table} set ${column} = $1
         where ${column} = $2 and ${key.map((part, i) => `${part} = $${i + 3}`).join(' and ')}`,
        [vault.seal(plain, context), old, ...values],
      );
      resealed += rowCount ?? 0;
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < batchSize) return { resealed, unreadable };
    after = key.map((part) => last[part]);
  }
}

function opened(vault: Vault, sealed: Buffer, context: string): Buffer | undefined {
  try {
    return vault.open(sealed, context);
  } catch (error) {
    if (error instanceof AppError && error.code === 'sealed_value_unreadable') return undefined;
    throw error;
  }
}

function parts(name: SealedColumn): { table: string; column: string; key: readonly string[] } {
  const [table = '', column = ''] = name.split('.');
  return { table, column, key: sealedColumns[name].key };
}

function keyText(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString('hex') : String(value);
}
