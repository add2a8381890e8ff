import { z } from 'zod';
import { clientSpec } from './oauth/clients.ts';
import type { AcmeCrmOptions } from './server.ts';

function jsonText(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'must be JSON' });
    return z.NEVER;
  }
}

const environment = z.object({
  ACME_PORT: z.coerce.number('must be a port number').int().min(0).max(65_535).default(4400),
  ACME_HOST: z.string().min(1).optional(),
  ACME_PUBLIC_URL: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional(),
  ACME_DATA_DIR: z.string().min(1).optional(),
  ACME_CLIENTS: z.string().transform(jsonText).pipe(z.array(clientSpec)).optional(),
  ACME_ACCESS_TOKEN_TTL_S: z.coerce.number('must be a number of seconds').int().min(1).optional(),
  ACME_RATE_LIMIT_PER_MINUTE: z.coerce.number('must be a number').int().min(1).optional(),
  ACME_CONTROL: z.enum(['0', '1'], 'must be 0 or 1').optional(),
});

/** Reads the settings from environment variables; all problems are reported at once, by name. */
export function readSettings(env: NodeJS.ProcessEnv): AcmeCrmOptions & { port: number } {
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
    throw new Error(lines.join('; '));
  }
  const { data } = parsed;
  return {
    port: data.ACME_PORT,
    control: data.ACME_CONTROL === '1',
    ...(data.ACME_HOST !== undefined && { host: data.ACME_HOST }),
    ...(data.ACME_PUBLIC_URL !== undefined && { publicUrl: data.ACME_PUBLIC_URL }),
    ...(data.ACME_DATA_DIR !== undefined && { dataDir: data.ACME_DATA_DIR }),
    ...(data.ACME_CLIENTS !== undefined && { clients: data.ACME_CLIENTS }),
    ...(data.ACME_ACCESS_TOKEN_TTL_S !== undefined && {
      accessTokenTtlSeconds: data.ACME_ACCESS_TOKEN_TTL_S,
    }),
    ...(data.ACME_RATE_LIMIT_PER_MINUTE !== undefined && {
      rateLimit: { requests: data.ACME_RATE_LIMIT_PER_MINUTE, perSeconds: 60 },
    }),
  };
}
