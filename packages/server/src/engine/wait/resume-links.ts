import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Environment, Tenant } from '#domain/tenant';

/** What a URL that resumes a wait names: a node of one execution, or of whatever execution of a workflow waits. */
export interface ResumeTarget {
  readonly tenant: Tenant;
  readonly of: 'execution' | 'workflow';
  readonly id: string;
  readonly nodeId: string;
  /** Path of the iteration that the node stands in; undefined: whichever waits. */
  readonly batch?: string | undefined;
}

/** Unguessable URLs of nodes that wait. Nothing of them is stored: a MAC proves that one was made here. */
export interface ResumeLinks {
  url(target: ResumeTarget): string;
  /** What a token names; undefined for one that was not made here. */
  read(token: string): ResumeTarget | undefined;
}

/** @param key - 32 bytes of `vault.deriveKey('resume-link')` */
export function createResumeLinks(key: Buffer, publicUrl: string): ResumeLinks {
  const sign = (text: string): Buffer => createHmac('sha256', key).update(text).digest().subarray(0, 24);
  return {
    url({ tenant, of, id, nodeId, batch }) {
      const parts = [tenant.orgId, tenant.environment, of, id, nodeId];
      const text = [...parts, ...(batch === undefined ? [] : [batch])].join('\n');
      const token = `${Buffer.from(text).toString('base64url')}.${sign(text).toString('base64url')}`;
      return `${publicUrl}/api/v1/workflows/webhooks/${token}`;
    },
    read(token) {
      const [payload = '', mac = ''] = token.split('.');
      const text = Buffer.from(payload, 'base64url').toString();
      const given = Buffer.from(mac, 'base64url');
      const expected = sign(text);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
      const [orgId = '', environment = '', of = '', id = '', nodeId = '', batch] = text.split('\n');
      return {
        tenant: { orgId, environment: environment as Environment },
        of: of === 'workflow' ? 'workflow' : 'execution',
        id,
        nodeId,
        batch,
      };
    },
  };
}
