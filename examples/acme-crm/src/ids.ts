import { createHash, randomBytes } from 'node:crypto';

/** A new random identifier with a readable prefix, for example `con_2f8c…`. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(10).toString('hex')}`;
}

/** A new secret of 192 random bits that is safe in URLs and headers. */
export function newSecret(prefix: string): string {
  return `${prefix}_${randomBytes(24).toString('base64url')}`;
}

/** What is stored in place of a secret that is only ever compared. */
export function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
