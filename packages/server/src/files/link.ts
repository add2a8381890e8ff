import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Environment, Tenant } from '#domain/tenant';

/** What a link to a file says, and its signature proves. */
export interface FileLink {
  readonly fileId: string;
  readonly tenant: Tenant;
  /** null: as long as the file lives. */
  readonly expiresAt: Date | null;
}

/** Makes and reads the links `<public URL>/files/<token>/<name>`: whoever holds one may read that file. */
export interface FileLinks {
  url(link: FileLink, name: string): string;
  /** The link of a token whose signature is right, expired or not; undefined for any other text. */
  read(token: string): FileLink | undefined;
  /** The token of an address of ours; undefined for any other address. */
  tokenOf(address: string): string | undefined;
}

const signatureBytes = 32;
const environments: Readonly<Record<string, Environment>> = { t: 'test', p: 'production' };

/**
 * The token is `base64url(id.org.environment.expiry)` + `.` + `base64url(HMAC-SHA-256)`: the signature covers the
 * tenant as well, so that a link never reads another tenant's row, and it is checked before anything is looked up.
 *
 * @param key - 32 bytes of `vault.deriveKey('file-link')`
 * @param publicUrl - the origin under which browsers reach us
 */
export function createFileLinks(key: Buffer, publicUrl: string): FileLinks {
  const sign = (payload: string): Buffer => createHmac('sha256', key).update(payload).digest();

  function url({ fileId, tenant, expiresAt }: FileLink, name: string): string {
    const expiry = expiresAt === null ? '0' : String(Math.ceil(expiresAt.getTime() / 1000));
    const payload = Buffer.from(
      [fileId, tenant.orgId, tenant.environment.charAt(0), expiry].join('.'),
    ).toString('base64url');
    const token = `${payload}.${sign(payload).toString('base64url')}`;
    return `${publicUrl}/files/${token}/${encodeURIComponent(name)}`;
  }

  function read(token: string): FileLink | undefined {
    const [payload = '', signature = '', ...rest] = token.split('.');
    const given = Buffer.from(signature, 'base64url');
    // Text that decodes to the same bytes in another spelling is not the link that was made.
    const isExact = given.length === signatureBytes && given.toString('base64url') === signature;
    if (!isExact || rest.length > 0 || !timingSafeEqual(given, sign(payload))) return undefined;
    const [fileId, orgId, letter, expiry] = Buffer.from(payload, 'base64url').toString('utf8').split('.');
    const environment = environments[letter ?? ''];
    if (fileId === undefined || orgId === undefined || environment === undefined || expiry === undefined) {
      return undefined;
    }
    return {
      fileId,
      tenant: { orgId, environment },
      expiresAt: expiry === '0' ? null : new Date(Number(expiry) * 1000),
    };
  }

  function tokenOf(address: string): string | undefined {
    const start = `${publicUrl}/files/`;
    return address.startsWith(start) ? address.slice(start.length).split(/[/?#]/)[0] : undefined;
  }

  return { url, read, tokenOf };
}
