import { parseJsonBody } from '#api/json-body';
import { AppError } from '#domain/errors';
import { isForbiddenName, isRecord } from '#domain/exact-json';

/**
 * An event sent as a form (spec/api §4.7): `payload` is JSON text, other fields stand beside it, and each file
 * joins the payload under the name of its field.
 *
 * @throws AppError `invalid_request` when the form cannot be read, and whatever JSON bodies throw.
 */
export async function parseMultipartEvent(
  contentType: string,
  bytes: Buffer,
): Promise<Record<string, unknown>> {
  const form = await readForm(contentType, bytes);
  const body: Record<string, unknown> = {};
  const files: Record<string, unknown> = {};
  for (const [name, value] of form) {
    if (isForbiddenName(name)) throw new AppError('forbidden_key', { key: name });
    if (typeof value === 'string') body[name] = name === 'payload' ? parseJsonBody(value) : value;
    else files[name] = await fileValue(value);
  }
  if (Object.keys(files).length === 0) return body;
  const payload = body['payload'] ?? {};
  if (!isRecord(payload)) throw wrong('payload', 'must be a JSON object when files are sent with it');
  return { ...body, payload: { ...payload, ...files } };
}

async function readForm(contentType: string, bytes: Buffer): Promise<FormData> {
  try {
    return await new Response(new Uint8Array(bytes), { headers: { 'content-type': contentType } }).formData();
  } catch (cause) {
    throw new AppError(
      'invalid_request',
      { problems: [{ path: '', message: 'The form cannot be read as multipart/form-data.' }] },
      { cause },
    );
  }
}

async function fileValue(file: File) {
  const content = Buffer.from(await file.arrayBuffer()).toString('base64');
  return { filename: file.name, content_type: file.type, size: file.size, content };
}

function wrong(path: string, message: string): AppError {
  return new AppError('invalid_request', { problems: [{ path, message }] });
}
