import type { Tenant } from '#domain/tenant';

/** An organisation's environment as public URLs name it: `<organisation id>-test`, `<organisation id>-production`. */
export function tenantName({ orgId, environment }: Tenant): string {
  return `${orgId}-${environment}`;
}

/** The tenant of a name; undefined when it is none. */
export function readTenantName(name: string): Tenant | undefined {
  const [, orgId, environment] = /^([0-9a-f]{24})-(test|production)$/.exec(name) ?? [];
  if (orgId === undefined) return undefined;
  return { orgId, environment: environment === 'test' ? 'test' : 'production' };
}
