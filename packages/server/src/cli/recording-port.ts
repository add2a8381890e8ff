import {
  type ApiRequest,
  type Body,
  type Connector,
  type HttpPort,
  parseJson,
  type Place,
  type Placement,
  requestUrl,
  textOf,
} from '@inlay/connectors/kit';
import { FormData } from 'undici';
import { systemClock } from '#domain/clock';
import { createOutbound, type Outbound } from '#outbound/index';

/** A port on the real provider, for recording. Private addresses are allowed: an author calls what an author names. */
export function recordingPort(target: {
  readonly connector: Connector;
  readonly place: Place;
  readonly placement: Placement;
}): HttpPort & { close(): Promise<void> } {
  const { connector, place, placement } = target;
  const outbound = createOutbound({ allow: ['0.0.0.0/0', '::/0'], clock: systemClock });
  return {
    async send(request: ApiRequest) {
      const body = request.body === undefined ? undefined : await encode(request.body, outbound);
      const response = await outbound.send({
        method: request.method,
        url: requestUrl(connector, request, place),
        headers: {
          accept: 'application/json',
          ...connector.http.headers,
          ...request.headers,
          ...(body?.contentType !== undefined && { 'content-type': body.contentType }),
        },
        ...(body !== undefined && { body: body.payload }),
        credential: { isFor: () => true, placement },
      });
      return { status: response.status, headers: response.headers, body: readBody(response.body) };
    },
    close: () => outbound.close(),
  };
}

async function encode(
  body: Body,
  outbound: Outbound,
): Promise<{ readonly payload: string | FormData; readonly contentType?: string }> {
  if (body.kind !== 'multipart') {
    const { text, contentType } = textOf(body) ?? { text: '', contentType: 'text/plain' };
    return { payload: text, contentType };
  }
  const payload = new FormData();
  for (const [name, part] of Object.entries(body.parts)) {
    if (typeof part === 'string') {
      payload.append(name, part);
      continue;
    }
    const bytes =
      'base64' in part
        ? Buffer.from(part.base64, 'base64')
        : (await outbound.send({ method: 'GET', url: part.url })).body;
    payload.append(name, new Blob([Uint8Array.from(bytes)], { type: part.contentType }), part.name);
  }
  return { payload };
}

function readBody(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  if (text === '') return null;
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}
