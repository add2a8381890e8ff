import type { Pool, PoolClient } from 'pg';
import type { Tenant } from '#domain/tenant';

/** A finished file without its content. */
export interface StoredFile {
  readonly id: string;
  readonly linkedAccountId: string | null;
  readonly name: string;
  readonly contentType: string;
  readonly size: number;
  readonly sha256: Buffer;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
}

export interface NewStoredFile {
  readonly id: string;
  readonly linkedAccountId: string | null;
  readonly name: string;
  readonly contentType: string;
  readonly writeKey: string | null;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
}

const fileColumns = `id, linked_account_id as "linkedAccountId", name, content_type as "contentType", size, sha256,
  expires_at as "expiresAt", created_at as "createdAt"`;

/** Begins a file that nobody can read yet. */
export async function insertFile(pool: Pool, tenant: Tenant, file: NewStoredFile): Promise<void> {
  await pool.query(
    `insert into stored_file
       (id, org_id, environment, linked_account_id, name, content_type, write_key, expires_at, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      file.id,
      tenant.orgId,
      tenant.environment,
      file.linkedAccountId,
      file.name,
      file.contentType,
      file.writeKey,
      file.expiresAt,
      file.createdAt,
    ],
  );
}

/** Adds a chunk. A file that was deleted meanwhile takes none: the foreign key refuses it. */
export async function insertChunk(
  pool: Pool,
  tenant: Tenant,
  chunk: { readonly fileId: string; readonly seq: number; readonly bytes: Buffer },
): Promise<void> {
  await pool.query(
    `insert into stored_file_chunk (file_id, seq, org_id, environment, bytes) values ($1, $2, $3, $4, $5)`,
    [chunk.fileId, chunk.seq, tenant.orgId, tenant.environment, chunk.bytes],
  );
}

/** Makes a file readable; an earlier one of the same write key goes in the same moment. */
export async function completeFile(
  client: PoolClient,
  tenant: Tenant,
  file: {
    readonly id: string;
    readonly size: number;
    readonly sha256: Buffer;
    readonly writeKey: string | null;
    readonly completedAt: Date;
  },
): Promise<boolean> {
  if (file.writeKey !== null) {
    await client.query(
      `delete from stored_file where org_id = $1 and environment = $2 and write_key = $3 and completed_at is not null`,
      [tenant.orgId, tenant.environment, file.writeKey],
    );
  }
  const { rowCount } = await client.query(
    `update stored_file set size = $4, sha256 = $5, completed_at = $6
     where id = $1 and org_id = $2 and environment = $3 and completed_at is null`,
    [file.id, tenant.orgId, tenant.environment, file.size, file.sha256, file.completedAt],
  );
  return rowCount === 1;
}

/** One writer at a time under a name, to the end of the transaction. */
export async function lockFileName(
  client: PoolClient,
  tenant: Tenant,
  linkedAccountId: string | null,
  name: string,
): Promise<void> {
  const key = JSON.stringify(['file', tenant.orgId, tenant.environment, linkedAccountId, name]);
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [key]);
}

/** Finished files of that name which still live, the newest first; not those of `exceptWriteKey`. */
export async function filesNamed(
  client: Pool | PoolClient,
  tenant: Tenant,
  named: {
    readonly linkedAccountId: string | null;
    readonly name: string;
    readonly now: Date;
    readonly exceptWriteKey?: string | null;
  },
): Promise<StoredFile[]> {
  const { rows } = await client.query<StoredFile>(
    `select ${fileColumns} from stored_file
     where org_id = $1 and environment = $2 and linked_account_id is not distinct from $3 and name = $4
       and completed_at is not null and (expires_at is null or expires_at > $5)
       and ($6::text is null or write_key is distinct from $6)
     order by id desc`,
    [
      tenant.orgId,
      tenant.environment,
      named.linkedAccountId,
      named.name,
      named.now,
      named.exceptWriteKey ?? null,
    ],
  );
  return rows;
}

/** A finished file that has not expired. */
export async function findFile(
  pool: Pool,
  tenant: Tenant,
  id: string,
  now: Date,
): Promise<StoredFile | undefined> {
  const { rows } = await pool.query<StoredFile>(
    `select ${fileColumns} from stored_file
     where id = $1 and org_id = $2 and environment = $3
       and completed_at is not null and (expires_at is null or expires_at > $4)`,
    [id, tenant.orgId, tenant.environment, now],
  );
  return rows[0];
}

/** One chunk; undefined when the file has none of that number, or is gone. */
export async function readChunk(
  pool: Pool,
  tenant: Tenant,
  fileId: string,
  seq: number,
): Promise<Buffer | undefined> {
  const { rows } = await pool.query<{ bytes: Buffer }>(
    `select bytes from stored_file_chunk where file_id = $1 and seq = $2 and org_id = $3 and environment = $4`,
    [fileId, seq, tenant.orgId, tenant.environment],
  );
  return rows[0]?.bytes;
}

/** Deletes a file with its content, finished or not. */
export async function deleteFile(client: Pool | PoolClient, tenant: Tenant, id: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `delete from stored_file where id = $1 and org_id = $2 and environment = $3`,
    [id, tenant.orgId, tenant.environment],
  );
  return rowCount === 1;
}

/** What an environment keeps in finished files; one that is being written counts nothing yet. */
export async function fileUsage(pool: Pool, tenant: Tenant): Promise<{ files: number; bytes: number }> {
  const { rows } = await pool.query<{ files: number; bytes: number }>(
    `select count(*)::int as files, coalesce(sum(size), 0)::bigint as bytes
     from stored_file where org_id = $1 and environment = $2`,
    [tenant.orgId, tenant.environment],
  );
  return rows[0] ?? { files: 0, bytes: 0 };
}

/**
 * Deletes some files of any tenant that expired, or that were begun before `abandonedBefore` and never finished.
 * Rows that another process deletes just now are left to it.
 */
export async function deleteExpiredFiles(
  pool: Pool,
  { now, abandonedBefore, limit }: { now: Date; abandonedBefore: Date; limit: number },
): Promise<number> {
  const { rows } = await pool.query<{ deleted: number }>(
    `with over as (
       select id from stored_file where expires_at <= $1 limit $3 for update skip locked
     ), abandoned as (
       select id from stored_file where completed_at is null and created_at < $2 limit $3 for update skip locked
     ), deleted as (
       delete from stored_file where id in (select id from over union select id from abandoned) returning id
     )
     select count(*)::int as deleted from deleted`,
    [now, abandonedBefore, limit],
  );
  return rows[0]?.deleted ?? 0;
}
