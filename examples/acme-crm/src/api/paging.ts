import { z } from 'zod';

/** The query of every list. */
export const listQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(25).describe('How many to answer at most.'),
  cursor: z
    .string()
    .transform((value, context) => {
      const seq = Number(Buffer.from(value, 'base64url').toString());
      if (Number.isSafeInteger(seq) && seq > 0 && cursorOf(seq) === value) return seq;
      context.addIssue({
        code: 'custom',
        message: 'is not a cursor of this API: use `next_cursor` as it was answered',
      });
      return z.NEVER;
    })
    .optional()
    .describe('The `next_cursor` of the page before.'),
  updated_since: z.iso
    .datetime({ offset: true, error: 'must be an ISO 8601 time such as 2026-01-31T12:00:00Z' })
    .transform((value) => new Date(value).toISOString())
    .optional()
    .describe('Only what changed at or after this time.'),
});

/** The opaque position after the record with this sequence number. */
export function cursorOf(seq: number): string {
  return Buffer.from(String(seq)).toString('base64url');
}
