import { sql } from 'kysely';
import type { Db } from '#db/schema';

/** An organisation that a user of the dashboard belongs to. */
export interface Membership {
  readonly orgId: string;
  readonly organizationName: string;
  readonly role: string;
}

/** What a user belongs to, oldest first. */
export function listMemberships(db: Db, userId: string): Promise<Membership[]> {
  return db
    .selectFrom('organization_member as member')
    .innerJoin('organization', 'organization.id', 'member.organization_id')
    .select([
      'member.organization_id as orgId',
      'organization.name as organizationName',
      'member.role as role',
    ])
    .where('member.user_id', '=', userId)
    .orderBy('member.created_at')
    .orderBy('member.id')
    .execute();
}

export async function insertMember(
  db: Db,
  row: { id: string; orgId: string; userId: string; role: string; createdAt: Date },
): Promise<void> {
  await db
    .insertInto('organization_member')
    .values({
      id: row.id,
      organization_id: row.orgId,
      user_id: row.userId,
      role: row.role,
      created_at: row.createdAt,
    })
    .execute();
}

/** Takes a user back whose organisation could not be made. */
export async function deleteConsoleUser(db: Db, userId: string): Promise<void> {
  await db.deleteFrom('console_user').where('id', '=', userId).execute();
}

/** Until when sign-ins with an email are refused, if they are. */
export async function findSignInLock(db: Db, emailHash: Buffer, now: Date): Promise<Date | undefined> {
  const row = await db
    .selectFrom('console_sign_in_failure')
    .select('locked_until')
    .where('email_hash', '=', emailHash)
    .where('locked_until', '>', now)
    .executeTakeFirst();
  return row?.locked_until ?? undefined;
}

export interface LockPolicy {
  /** Failures that are forgiven. */
  readonly allowed: number;
  readonly lockMs: number;
  /** A failure older than this no longer counts. */
  readonly forgetMs: number;
}

/** Counts a failure, in one statement so that parallel guesses all count. */
export async function recordSignInFailure(
  db: Db,
  emailHash: Buffer,
  now: Date,
  policy: LockPolicy,
): Promise<void> {
  const forgotten = new Date(now.getTime() - policy.forgetMs);
  const lockedUntil = new Date(now.getTime() + policy.lockMs);
  await sql`
    insert into console_sign_in_failure as known (email_hash, failures, last_at) values (${emailHash}, 1, ${now})
    on conflict (email_hash) do update set
      failures = case when known.last_at < ${forgotten} then 1 else known.failures + 1 end,
      locked_until = case when known.last_at >= ${forgotten} and known.failures + 1 >= ${policy.allowed}
                          then ${lockedUntil}::timestamptz end,
      last_at = ${now}`.execute(db);
}

export async function clearSignInFailures(db: Db, emailHash: Buffer): Promise<void> {
  await db.deleteFrom('console_sign_in_failure').where('email_hash', '=', emailHash).execute();
}

/** Who has owned an organisation longest: the installation's first. */
export function findFirstOwner(db: Db): Promise<{ orgId: string; email: string } | undefined> {
  return db
    .selectFrom('organization_member as member')
    .innerJoin('console_user as owner', 'owner.id', 'member.user_id')
    .select(['member.organization_id as orgId', 'owner.email as email'])
    .where('member.role', '=', 'owner')
    .orderBy('member.created_at')
    .orderBy('member.id')
    .limit(1)
    .executeTakeFirst();
}

/** The hash of a user's password, to compare a password with. */
export async function findPasswordHash(db: Db, email: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('console_account')
    .innerJoin('console_user', 'console_user.id', 'console_account.user_id')
    .select('console_account.password')
    .where('console_user.email', '=', email)
    .where('console_account.provider_id', '=', 'credential')
    .executeTakeFirst();
  return row?.password ?? undefined;
}
