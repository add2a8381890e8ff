import { Readable } from 'node:stream';
import { z } from 'zod';
import type { ApiApp } from '#api/app';
import type { ApiDeps } from '#api/deps';
import { AppError } from '#domain/errors';

/** Types that no browser runs; everything else is served as bytes. */
const harmlessTypes =
  /^(text\/(plain|csv)|application\/(json|zip|gzip|x-tar|pdf|octet-stream|vnd\.openxmlformats-officedocument\.[\w.]+)|image\/(png|jpeg|gif|webp))$/;

/**
 * Files by signed link. The link is the credential: it names file, tenant and expiry, and is checked before anything
 * is looked up. What is served was written by strangers, so it is only ever saved, never shown on our origin.
 */
export function fileRoutes(app: ApiApp, deps: Pick<ApiDeps, 'files'>): void {
  app.get(
    '/files/:token/:name',
    {
      config: { auth: 'none' },
      schema: { hide: true, params: z.object({ token: z.string(), name: z.string() }) },
    },
    async (request, reply) => {
      const file = await deps.files.readByToken(request.params.token);
      const type = file.contentType.split(';')[0]?.trim().toLowerCase() ?? '';
      reply
        .header('content-type', harmlessTypes.test(type) ? type : 'application/octet-stream')
        .header('content-disposition', attachment(file.name))
        .header('x-content-type-options', 'nosniff')
        .header('content-security-policy', "default-src 'none'; sandbox")
        .header('referrer-policy', 'no-referrer')
        .header('cross-origin-resource-policy', 'same-origin')
        .header('cache-control', 'private, no-store')
        .header('accept-ranges', 'bytes')
        .header('etag', `"${file.sha256}"`);
      const range = readRange(request.headers.range, file.size);
      if (range === 'unsatisfiable') {
        reply.header('content-range', `bytes */${file.size}`);
        throw new AppError('file_range_invalid', { size: file.size });
      }
      if (range !== undefined) {
        reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${file.size}`);
      }
      reply.header('content-length', range === undefined ? file.size : range.end - range.start + 1);
      const content = request.method === 'HEAD' ? [] : file.bytes(range);
      return reply.send(Readable.from(content, { objectMode: false }));
    },
  );
}

/** RFC 6266 with the ASCII fallback that old clients read, and RFC 8187 for every other name. */
function attachment(name: string): string {
  const ascii = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}

/** One range of RFC 9110 §14.2; several, or another unit, are answered with the whole file, as it allows. */
function readRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined;
  return start >= size || end < start ? 'unsatisfiable' : { start, end };
}
