import { jwtVerify, SignJWT } from 'jose';
import { AppError } from '#domain/errors';
import type { Environment } from '#domain/tenant';

/** What a session token says; `linked_account_id` is the SaaS company's own id of its customer. */
export interface SessionClaims {
  readonly orgId: string;
  readonly accountId: string;
  readonly environment: Environment;
  readonly jti: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  /** Said only when it is so: `readOnlyWorkflow`. What counts is the stored row. */
  readonly isWorkflowReadOnly: boolean;
}

const seconds = (at: Date): number => Math.floor(at.getTime() / 1000);

/** Signs the claims. HS256 has no randomness: the same claims give the same token again. */
export function signSessionToken(key: Uint8Array, claims: SessionClaims): Promise<string> {
  return new SignJWT({
    org_id: claims.orgId,
    linked_account_id: claims.accountId,
    environment: claims.environment,
    ...(claims.isWorkflowReadOnly && { readOnlyWorkflow: true }),
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setJti(claims.jti)
    .setIssuedAt(seconds(claims.issuedAt))
    .setExpirationTime(seconds(claims.expiresAt))
    .sign(key);
}

/**
 * Checks signature, algorithm and times, and gives the token's id; whether it was revoked is the caller's
 * question to the database.
 *
 * @throws invalid_token
 */
export async function verifySessionToken(key: Uint8Array, token: string, now: Date): Promise<string> {
  const { payload } = await jwtVerify(token, key, { algorithms: ['HS256'], currentDate: now }).catch(
    (cause: unknown) => {
      throw new AppError('invalid_token', undefined, { cause });
    },
  );
  if (payload.jti === undefined || payload.exp === undefined) throw new AppError('invalid_token', undefined);
  return payload.jti;
}
