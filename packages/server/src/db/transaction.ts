import type { Db } from '#db/schema';

/** Runs `work` in a transaction: the caller's if it has one, else a new one. */
export function inTransaction<T>(db: Db, work: (db: Db) => Promise<T>): Promise<T> {
  return db.isTransaction ? work(db) : db.transaction().execute(work);
}
