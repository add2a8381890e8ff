import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import {
  type Connector,
  findAction,
  parseInput,
  type Placement,
  record,
  type Subject,
  subjectOf,
  type Values,
} from '@inlay/connectors/kit';
import { type ConnectorDeps, loadConnector } from '#cli/connector-folder';
import { recordingPort } from '#cli/recording-port';
import { StartupError } from '#domain/startup-error';

export const recordOptions = `
  --case NAME          names the file: <subject>.NAME.json (default ok)
  --input JSON|@FILE   the parameters
  --var NAME=VALUE     a variable of the connector; may be repeated
  --meta NAME=VALUE    a value of the connection, e.g. its API host; may be repeated
  --key IDEMPOTENCY    sent where the action takes an idempotency key
  --force              overwrite the file

Credentials come from the environment: INLAY_RECORD_TOKEN is an OAuth access token,
INLAY_RECORD_<FIELD> (INLAY_RECORD_API_KEY for apiKey) one field of the key-based method.
`;

/** `inlay connector record <slug> <subject>`: calls the real provider and writes what happened, redacted. */
export async function recordCall(
  args: readonly string[],
  deps: Pick<ConnectorDeps, 'folder' | 'env' | 'now' | 'print'>,
): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      case: { type: 'string', default: 'ok' },
      input: { type: 'string', default: '{}' },
      var: { type: 'string', multiple: true, default: [] },
      meta: { type: 'string', multiple: true, default: [] },
      key: { type: 'string' },
      force: { type: 'boolean', default: false },
    },
  });
  const [slug, name] = positionals;
  if (slug === undefined || name === undefined)
    throw new StartupError('Say what to record: record <slug> <subject>');
  const connector = await loadConnector(deps.folder, slug);
  const fileName = `${name}.${values.case}.json`;
  const subject = knownSubject(connector, fileName);
  const file = new URL(fileName, connector.files.recordings);
  if (existsSync(file) && !values.force)
    throw new StartupError(`${fileName} exists. Overwrite it with --force.`);

  const { placement, secrets } = credentialOf(connector, deps.env);
  const place = { vars: pairs('--var', values.var), meta: pairs('--meta', values.meta) };
  const port = recordingPort({ connector, place, placement });
  try {
    const given = {
      now: deps.now().toISOString(),
      input: jsonObject('--input', values.input),
      ...(values.key !== undefined && { idempotencyKey: values.key }),
    };
    const recording = await record(connector, subject, given, port, secrets);
    await mkdir(connector.files.recordings, { recursive: true });
    await writeFile(file, `${JSON.stringify(recording, null, 2)}\n`);
    const outcome = recording.error === undefined ? 'a success' : 'a failure';
    deps.print(`${fileName}: ${outcome}, ${recording.calls.length} call(s). Read it before you commit it.`);
    return 0;
  } finally {
    await port.close();
  }
}

function knownSubject(connector: Connector, fileName: string): Subject {
  const subject = subjectOf(fileName);
  if (subject === undefined) {
    throw new StartupError(
      `"${fileName}" names no subject. Use an action id, options.<list>, poll.<trigger> or check.`,
    );
  }
  if (subject.of === 'action') findAction(connector, subject.id);
  return subject;
}

function pairs(option: string, texts: readonly string[]): Values {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf('=');
      if (equals < 1) throw new StartupError(`${option} must be NAME=VALUE, not "${text}".`);
      return [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

/** The credential of the environment, and every form of it that must not reach the file. */
function credentialOf(
  connector: Connector,
  env: ConnectorDeps['env'],
): { readonly placement: Placement; readonly secrets: readonly string[] } {
  const { oauth2, keybased } = connector.auth;
  const token = env['INLAY_RECORD_TOKEN'];
  if (oauth2 !== undefined && token !== undefined)
    return { placement: oauth2.place(token, {}), secrets: [token] };
  if (keybased === undefined) throw new StartupError('Set INLAY_RECORD_TOKEN to an access token.');
  const typed = Object.fromEntries(
    Object.keys(keybased.fields).flatMap((name) => {
      const value = env[variableOf(name)];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const placement = keybased.sign(parseInput(keybased.fields, typed) as never);
  const placed = [...Object.values(placement.headers ?? {}), ...Object.values(placement.query ?? {})];
  return { placement, secrets: [...Object.values(typed), ...placed] };
}

/** INLAY_RECORD_API_KEY for apiKey. */
function variableOf(field: string): string {
  return `INLAY_RECORD_${field.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()}`;
}

/** A JSON object given inline or as `@file`. @throws StartupError naming the option. */
function jsonObject(option: string, text: string): Record<string, unknown> {
  const source = text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text;
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    throw new StartupError(`${option} must be JSON, or @file with JSON in it.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new StartupError(`${option} must be a JSON object.`);
  }
  return value as Record<string, unknown>;
}
