import { type ApiRequest, ProviderError } from '@inlay/connectors/kit';
import type { ConnectionDeps } from '#connections/deps';
import type { CustomActionTools } from '#connections/custom-actions/action';
import { parseBody, type ProviderPort } from '#connections/provider-http';
import type { Tenant } from '#domain/tenant';
import type { OutboundStream } from '#outbound/index';

const mostOfRefusal = 64 * 1024;

/** What a custom action works with, for one call of it. */
export function customActionTools(
  deps: Pick<ConnectionDeps, 'sandbox' | 'files'>,
  call: {
    readonly tenant: Tenant;
    readonly linkedAccountId: string;
    readonly idempotencyKey?: string;
    readonly signal?: AbortSignal;
  },
  http: ProviderPort,
): CustomActionTools {
  const { tenant, linkedAccountId, idempotencyKey, signal } = call;
  return {
    runScript: async (code, params) => (await deps.sandbox.runCode({ code, params, tenant, signal })).output,
    async save(request: ApiRequest, file) {
      const answer = await http.open(request);
      if (answer.status < 200 || answer.status > 299) {
        throw new ProviderError(answer.status, await beginningOf(answer));
      }
      const written = await deps.files.write(
        tenant,
        {
          ...file,
          contentType: answer.headers['content-type'] ?? 'application/octet-stream',
          linkedAccountId,
          writeKey: idempotencyKey,
        },
        answer.body as AsyncIterable<Buffer>,
      );
      return {
        file_id: written.id,
        file_name: written.name,
        file_size: written.size,
        file_url: written.url,
        expires_at: written.expiresAt?.toISOString() ?? null,
      };
    },
  };
}

/** What a refusal says, as far as it is worth reading. */
async function beginningOf({ body, headers }: OutboundStream): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > mostOfRefusal) break;
  }
  return parseBody(Buffer.concat(chunks).subarray(0, mostOfRefusal), headers['content-type']);
}
