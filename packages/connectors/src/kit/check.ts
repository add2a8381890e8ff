/**
 * The common suite: what every connector must keep, checked without a network. Used by the tests over the whole
 * catalogue and by `inlay connector check`.
 */
import type { Action } from '#kit/action';
import type { OAuth2 } from '#kit/auth';
import { type Connector, requestUrl } from '#kit/connector';
import type { Field, Fields } from '#kit/field';
import type { Options } from '#kit/options';
import { type Recording, redact, replay, subjectOf } from '#kit/recording';
import type { ApiRequest } from '#kit/request';
import { durationMs, type Poll, type Webhook, webhookRequest } from '#kit/trigger';
import type { Place, UrlTemplate } from '#kit/url';

/** The files of a connector's folder, read by whoever may read files; undefined for those that are missing. */
export interface ConnectorFiles {
  readonly icon: string | undefined;
  readonly setup: string | undefined;
  readonly webhookSetup: string | undefined;
  /** By file name, parsed. */
  readonly recordings: ReadonlyMap<string, unknown>;
}

/** What may read files; the kit itself may not. */
export interface FileReader {
  /** A file's text, undefined when there is none. */
  read(file: URL): string | undefined;
  /** The names in a folder; none when it does not exist. */
  list(folder: URL): readonly string[];
}

/**
 * Reads the files beside a connector.
 *
 * @throws SyntaxError when a recording is no JSON.
 */
export function connectorFiles({ files }: Connector, reader: FileReader): ConnectorFiles {
  const names = reader.list(files.recordings).filter((name) => !name.startsWith('.'));
  return {
    icon: reader.read(files.icon),
    setup: reader.read(files.setup),
    webhookSetup: reader.read(files.webhookSetup),
    recordings: new Map(
      names.map((name) => [name, JSON.parse(reader.read(new URL(name, files.recordings)) ?? '') as unknown]),
    ),
  };
}

export interface Problem {
  /** The rule that is broken: stable, one word or two. */
  readonly rule: string;
  readonly message: string;
}

type Report = (rule: string, message: string) => void;

/** Every rule a connector breaks; an empty list is a pass. */
export async function checkConnector(connector: Connector, files: ConnectorFiles): Promise<Problem[]> {
  const problems: Problem[] = [];
  const report: Report = (rule, message) => problems.push({ rule, message });
  checkIdentity(connector, report);
  checkIcon(files.icon, report);
  checkGuides(connector, files, report);
  checkAuth(connector, report);
  checkActions(connector, files, report);
  checkOptions(connector, report);
  for (const [id, trigger] of Object.entries(connector.triggers)) {
    if (trigger.kind === 'poll') checkPoll(connector, id, trigger, report);
    else checkWebhook(id, trigger, report);
  }
  await checkRecordings(connector, files.recordings, report);
  return problems;
}

/** Actions of the connector itself: the two generic ones are the kit's to test. */
function ownActions(connector: Connector): [string, Action][] {
  return Object.entries(connector.actions).filter(([id]) => id !== 'httprequest' && id !== 'incrementalsync');
}

function checkIdentity(connector: Connector, report: Report): void {
  const { slug, name, description, categories } = connector;
  if (!/^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$/.test(slug)) {
    report('slug', `"${slug}" must be lower-case words of letters and digits joined by - or _`);
  }
  if (name.trim() === '') report('name', 'the name is empty');
  if (description.trim() === '' || description.includes('TODO')) {
    report('description', 'say in description what one can do with it');
  }
  if (categories.length === 0) report('categories', 'name at least one category');
}

function checkIcon(icon: string | undefined, report: Report): void {
  if (icon === undefined) return report('icon', 'icon.svg is missing');
  if (!icon.trimStart().startsWith('<svg') || !icon.includes('viewBox')) {
    report('icon', 'icon.svg must be an SVG with a viewBox');
  }
  // The portal shows it on the SaaS company's pages.
  if (/<script|<foreignObject|\son\w+\s*=|(?:href|src)\s*=\s*["'](?!#)|url\(\s*["']?(?!#)/i.test(icon)) {
    report('icon', 'icon.svg must hold no script, handler or outside reference');
  }
  if (icon.length > 20_000) report('icon', 'icon.svg is larger than 20 kB');
}

function checkGuides(connector: Connector, files: ConnectorFiles, report: Report): void {
  if (files.setup === undefined) {
    report('setup', 'setup.md is missing: how the SaaS company gets its credentials');
  } else {
    for (const scope of Object.keys(connector.auth.oauth2?.scopes.required ?? {})) {
      if (!files.setup.includes(scope))
        report('setup', `setup.md does not name the mandatory scope ${scope}`);
    }
    if (connector.auth.oauth2 !== undefined && !/callback url/i.test(files.setup)) {
      report('setup', 'setup.md does not say where the Callback URL goes');
    }
    if (/\bTODO\b/.test(files.setup)) report('setup', 'setup.md still has a TODO');
  }
  const isManual = Object.values(connector.triggers).some(
    (trigger) => trigger.kind === 'webhook' && 'manual' in trigger.setup,
  );
  if (isManual && files.webhookSetup === undefined) {
    report('webhook-setup', 'webhook-setup.md is missing: how a customer makes the webhook by hand');
  }
}

function knownScopes(connector: Connector): ReadonlySet<string> | undefined {
  const scopes = connector.auth.oauth2?.scopes;
  if (scopes === undefined) return undefined;
  return new Set([scopes.required, scopes.optional, scopes.second?.optional ?? {}].flatMap(Object.keys));
}

function checkScopes(connector: Connector, owner: string, scopes: readonly string[], report: Report): void {
  const known = knownScopes(connector);
  for (const scope of scopes) {
    if (known?.has(scope) !== true)
      report('scopes', `${owner} needs ${scope}, which auth.oauth2 does not list`);
  }
}

function checkAuth(connector: Connector, report: Report): void {
  const { oauth2, keybased } = connector.auth;
  if (oauth2 === undefined && keybased === undefined) report('auth', 'there is no way to connect');
  if (oauth2 !== undefined) checkSupported(oauth2, report);
  const urls = [oauth2?.authorizationUrl, oauth2?.tokenUrl, oauth2?.refreshUrl, oauth2?.revocationUrl];
  for (const url of urls) {
    if (typeof url === 'string' && !/^(?:https:\/\/|\{)/.test(url)) report('auth', `"${url}" must be https`);
  }
  if (oauth2 !== undefined && oauth2.tokenHosts === undefined)
    checkTokenHost(oauth2.tokenUrl, connector, report);
  const oneScope = new Set(Object.keys(oauth2?.scopes.required ?? {}));
  for (const scope of Object.keys(oauth2?.scopes.optional ?? {})) {
    if (oneScope.has(scope)) report('scopes', `${scope} is both required and optional`);
  }
  if (keybased !== undefined) {
    const sample = sampleOf(keybased.fields);
    const placed = JSON.stringify(keybased.sign(sample as never, 'token'));
    if (placed === '{}') report('auth', 'sign adds nothing to a request');
    for (const name of keybased.keep) {
      if (keybased.fields[name]?.type === 'secret')
        report('auth', `the secret "${name}" may not be kept as meta`);
    }
  }
  reachable(connector, 'check', connector.check.request, report);
}

/** What the kit can say and the server cannot do yet must not look finished. */
function checkSupported(oauth2: OAuth2, report: Report): void {
  const waiting = {
    'grant: client_credentials': oauth2.grant !== 'authorization_code',
    longLived: oauth2.longLived !== undefined,
    startsAtProvider: oauth2.startsAtProvider,
  };
  for (const [name, isDeclared] of Object.entries(waiting)) {
    if (isDeclared) report('auth', `${name} is not run by the server yet`);
  }
}

/** A host that a customer or a callback can name must not be handed the client secret. */
function checkTokenHost(tokenUrl: UrlTemplate, connector: Connector, report: Report): void {
  if (typeof tokenUrl !== 'string') return;
  const host = /^(?:https?:\/\/)?([^/]*)/.exec(tokenUrl)?.[1] ?? '';
  const names = [...host.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] ?? '');
  const isOurs = names.every((name) => name in connector.vars);
  const hasOwnDomain = /\.[a-z0-9-]+\.[a-z]{2,}$/i.test(host.slice(host.lastIndexOf('}') + 1));
  if (!isOurs && !hasOwnDomain) {
    report('auth', `the host of tokenUrl can be chosen by others (${names.join(', ')}): list tokenHosts`);
  }
}

function checkActions(connector: Connector, files: ConnectorFiles, report: Report): void {
  const recorded = [...files.recordings].flatMap(([file, recording]) => {
    const subject = subjectOf(file);
    if (subject?.of !== 'action') return [];
    const { error, calls } = recording as Recording;
    // An input we refused ourselves says nothing about the provider.
    return error !== undefined && calls.length === 0 ? [] : [{ id: subject.id, failed: error !== undefined }];
  });
  for (const [id, action] of ownActions(connector)) {
    if (!/^[a-z][A-Za-z0-9]*$/.test(id)) report('action', `the action id "${id}" must be camelCase`);
    if (!action.help.trim().endsWith('.')) report('action', `${id}: help must be a sentence`);
    checkScopes(connector, id, action.scopes, report);
    checkFields(connector, id, action.input, report);
    for (const failed of [false, true]) {
      if (!recorded.some((one) => one.id === id && one.failed === failed)) {
        report('recordings', `${id} has no recording of a ${failed ? 'failure' : 'success'}`);
      }
    }
  }
}

function checkFields(connector: Connector, owner: string, fields: Fields, report: Report): void {
  for (const [name, field] of Object.entries(fields)) {
    const list = liveOptions(field);
    if (list === undefined) continue;
    if (!Object.values(connector.options).includes(list)) {
      report('options', `${owner}.${name} offers a list that connector({ options }) does not name`);
    }
    for (const parent of list.dependsOn) {
      if (!(parent in fields))
        report('options', `${owner}.${name} depends on "${parent}", which ${owner} has not`);
    }
  }
}

function liveOptions(field: Field): Options | undefined {
  return field.options !== undefined && 'kind' in field.options ? field.options : undefined;
}

function checkOptions(connector: Connector, report: Report): void {
  const inputs = [...Object.values(connector.actions), ...Object.values(connector.triggers)].flatMap(
    (owner) => ('input' in owner ? Object.values(owner.input) : []),
  );
  const used = new Set(inputs.map(liveOptions));
  for (const [name, list] of Object.entries(connector.options)) {
    if (!used.has(list)) report('options', `the list "${name}" is offered nowhere`);
    checkScopes(connector, `options.${name}`, list.scopes, report);
  }
}

function checkPoll(connector: Connector, id: string, trigger: Poll, report: Report): void {
  checkScopes(connector, id, trigger.scopes, report);
  checkFields(connector, id, trigger.input, report);
  if (durationMs(trigger.every) < 60_000)
    report('poll', `${id}: no provider likes to be asked more than once a minute`);
  if (durationMs(trigger.overlap) <= 0) report('poll', `${id}: without an overlap, late rows are lost`);
  const input = sampleOf(trigger.input) as never;
  const ask = (since: string) =>
    JSON.stringify(trigger.list({ since, until: '2026-03-03T00:00:00.000Z' }, input));
  if (ask('2026-03-01T00:00:00.000Z') === ask('2026-03-02T00:00:00.000Z')) {
    report('poll', `${id}: the request ignores the window's start`);
  }
}

/** Tampers with the example call in every way a stranger could. */
function checkWebhook(id: string, trigger: Webhook, report: Report): void {
  const { request, secrets, now } = trigger.example();
  const refused = (changed: Partial<typeof request>, at = now, keys = secrets): boolean => {
    const tampered = webhookRequest({ ...request, ...changed });
    try {
      return trigger.verify(tampered, keys, at) !== undefined;
    } catch {
      return true;
    }
  };
  const reason = trigger.verify(request, secrets, now);
  if (reason !== undefined) report('webhook', `${id}: verify refuses its own example: ${reason}`);
  if (trigger.events(request).length === 0) report('webhook', `${id}: the example yields no event`);

  const body = Buffer.from(request.rawBody);
  const flipped = Buffer.from(body);
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  if (!refused({ rawBody: flipped })) report('webhook', `${id}: verify accepts a changed body`);
  if (!refused({ rawBody: Buffer.concat([body, Buffer.from(' ')]) })) {
    report('webhook', `${id}: verify accepts a longer body`);
  }
  const day = 86_400_000;
  if (!refused({}, new Date(now.getTime() + day)))
    report('webhook', `${id}: verify accepts a call a day old`);
  const noSecrets = Object.fromEntries(Object.keys(secrets).map((name) => [name, '']));
  if (!refused({}, now, noSecrets))
    report('webhook', `${id}: verify accepts a call when the secret is empty`);
  const bare = Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => name === 'content-type'),
  );
  if (!refused({ headers: bare })) report('webhook', `${id}: verify accepts a call without a signature`);
}

async function checkRecordings(
  connector: Connector,
  recordings: ReadonlyMap<string, unknown>,
  report: Report,
): Promise<void> {
  for (const [file, content] of recordings) {
    const subject = subjectOf(file);
    const isKnown =
      subject !== undefined &&
      (subject.of === 'check' ||
        (subject.of === 'action' && Object.hasOwn(connector.actions, subject.id)) ||
        (subject.of === 'options' && Object.hasOwn(connector.options, subject.id)) ||
        (subject.of === 'poll' && connector.triggers[subject.id]?.kind === 'poll'));
    if (!isKnown) {
      report('recordings', `${file} belongs to no action, list or poll`);
      continue;
    }
    const recording = content as Recording;
    if ('output' in recording === (recording.error !== undefined)) {
      report('recordings', `${file} must have either output or error`);
    }
    if (JSON.stringify(redact(recording)) !== JSON.stringify(recording)) {
      report('recordings', `${file} holds an e-mail address or a token of somebody`);
    }
    for (const problem of await replay(connector, subject, recording))
      report('recordings', `${file}: ${problem}`);
    for (const { request, response } of recording.calls) {
      reachable(connector, file, request, report);
      // Turning "you may not" into "there is nothing" hides a dead connection.
      for (const status of [401, 403]) {
        if (connector.http.emptyList?.(status, response.body) === true) {
          report('http', `emptyList turns ${status} into an empty list`);
        }
      }
    }
    checkEffect(connector, file, subject, recording, report);
  }
}

function checkEffect(
  connector: Connector,
  file: string,
  subject: { readonly of: string; readonly id: string },
  recording: Recording,
  report: Report,
): void {
  const action = subject.of === 'action' ? connector.actions[subject.id] : undefined;
  const isRead = subject.of !== 'action' || action?.effect === 'read';
  const writes = recording.calls.filter(({ request }) => ['PUT', 'PATCH', 'DELETE'].includes(request.method));
  if (isRead && writes.length > 0) report('effect', `${file} writes, though it is declared to read`);
}

const samplePlace = (connector: Connector): Place => ({
  meta: {},
  vars: Object.fromEntries(Object.keys(connector.vars).map((name) => [name, 'https://api.example.com'])),
});

function reachable(connector: Connector, owner: string, request: ApiRequest, report: Report): void {
  try {
    requestUrl(connector, request, samplePlace(connector));
  } catch (error) {
    report('hosts', `${owner}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Text for every field; enough to see where values go. */
function sampleOf(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.keys(fields).map((name) => [name, `sample-${name}`]));
}
