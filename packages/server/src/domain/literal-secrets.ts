import type { FieldProblem } from '#domain/errors';
import { isRecord } from '#domain/exact-json';
import { isSecretName } from '#domain/secret-name';
import type { WorkflowNode } from '#domain/workflow-document';

/**
 * Secrets that an author wrote into settings as they are, instead of as a variable: what a file of the workflow must
 * not hold. Known by the name of the setting or header; text inside code is not looked at.
 */

export const redactedSecret = '[REDACTED]';

/** Settings. Narrower than for what is only not shown: what is taken out of a file has to be entered again. */
const settingWords =
  /passw|passphrase|secret$|client_secret|api[-_]?key|private[-_]?key|client_key$|access[-_]?token|auth[-_]?token|bearer|authorization|^token$|^cookie$/i;
const userInUrl = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:[^/\s@]+@/i;
/** Parameters of an address, which are read where the rest of it is a template, too. */
const parameters = /[?&]([^=&#\s]+)=([^&#\s]+)/g;
const keyParameter = /^(key|sig|signature)$/i;

type Visit = (text: string, path: readonly string[]) => string;

/** The nodes without the secrets in them, and where those stood: `nodes.5.data.headers.Authorization`. */
export function withoutSecrets(nodes: readonly WorkflowNode[]): {
  nodes: WorkflowNode[];
  paths: string[];
} {
  const paths: string[] = [];
  const cleaned = nodes.map((node) => ({
    ...node,
    data: visitSecrets(node.data, (_text, path) => {
      paths.push(['nodes', node.id, 'data', ...path].join('.'));
      return redactedSecret;
    }),
  }));
  return { nodes: cleaned, paths };
}

/** Whether a setting of this name holds a secret. */
export function isSecretSetting(name: string): boolean {
  return settingWords.test(name);
}

/** Where secrets stand as they are: `['auth', 'headers', 'X-Api-Key']`. */
export function literalSecretsIn(data: Readonly<Record<string, unknown>>): (readonly string[])[] {
  const paths: (readonly string[])[] = [];
  visitSecrets(data, (text, path) => {
    paths.push(path);
    return text;
  });
  return paths;
}

/**
 * Puts back, where a node comes without a secret that the same node had before, that secret. A node that now goes to
 * another host does without: the file may be anybody's, and so may be the host.
 */
export function withSecretsOf(
  before: readonly WorkflowNode[],
  after: readonly WorkflowNode[],
): WorkflowNode[] {
  return after.map((node) => {
    const earlier = before.find(({ id, node_type }) => id === node.id && node_type === node.node_type);
    if (earlier === undefined) return node;
    const hosts = hostsIn(earlier.data);
    if ([...hostsIn(node.data)].some((host) => !hosts.has(host))) return node;
    const known = new Map<string, string>();
    visitSecrets(earlier.data, (text, path) => {
      known.set(path.join('\n'), text);
      return text;
    });
    const fill: Visit = (text, path) =>
      text === redactedSecret ? (known.get(path.join('\n')) ?? text) : text;
    return { ...node, data: visitSecrets(node.data, fill) };
  });
}

/** Where a node may send something: the beginnings of addresses, and whatever a setting holds that is called like one. */
function hostsIn(value: unknown, key = '', found = new Set<string>()): ReadonlySet<string> {
  if (typeof value === 'string') {
    const [origin] = /^\s*https?:\/\/[^/?#\s]*/i.exec(value) ?? [];
    // What follows a base URL without a slash goes on with its host.
    const isEndOfHost = key === 'path' && value !== '' && !value.startsWith('/');
    const isAddress = origin !== undefined || isEndOfHost || /url|host|endpoint|server/i.test(key);
    if (isAddress && value !== redactedSecret) found.add((origin ?? value).trim().toLowerCase());
  } else if (Array.isArray(value)) value.forEach((item) => hostsIn(item, key, found));
  else if (isRecord(value)) for (const [name, item] of Object.entries(value)) hostsIn(item, name, found);
  return found;
}

/** Secrets that a file left out and nobody has entered yet. */
export function missingSecretProblems(nodes: readonly WorkflowNode[]): FieldProblem[] {
  return nodes.flatMap((node, index) => {
    const problems: FieldProblem[] = [];
    visitSecrets(node.data, (text, path) => {
      if (text === redactedSecret) {
        const message = 'was left out of the file that this came from: enter it again';
        problems.push({ path: `nodes[${index}].data.${path.join('.')}`, message });
      }
      return text;
    });
    return problems;
  });
}

function visitSecrets(
  data: Readonly<Record<string, unknown>>,
  visit: Visit,
  path: readonly string[] = [],
): Record<string, unknown> {
  const named = nameOfPair(data);
  return Object.fromEntries(
    Object.entries(data).map(([key, value]): [string, unknown] => {
      const isSecret =
        isSecretSetting(key) ||
        (key === 'value' && named !== undefined && isSecretName(named)) ||
        (isHeaders(path.at(-1)) && isSecretName(key));
      return [key, visitValue(value, isSecret, visit, [...path, key])];
    }),
  );
}

function visitValue(value: unknown, isSecret: boolean, visit: Visit, path: readonly string[]): unknown {
  if (typeof value === 'string') {
    const isLiteral = value !== '' && !value.includes('{{');
    const isNamed = isLiteral && (isSecret || userInUrl.test(value));
    // What a file left out is found again whatever it was.
    const isVisited =
      isNamed || value === redactedSecret || hasSecretParameter(value) || isSecretJson(value, path);
    return isVisited ? visit(value, path) : value;
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => visitValue(item, isSecret, visit, [...path, String(index)]));
  }
  return isRecord(value) ? visitSecrets(value, visit, path) : value;
}

/** Settings that are JSON may be written as its text. One secret in it, and all of it is left out. */
function isSecretJson(text: string, path: readonly string[]): boolean {
  if (!/^\s*[{[]/.test(text)) return false;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return false;
  }
  let isFound = false;
  visitValue(
    value,
    false,
    (found) => {
      isFound = true;
      return found;
    },
    path,
  );
  return isFound;
}

/** `https://example.com/x?api_key=...`, with the key written out. */
function hasSecretParameter(text: string): boolean {
  if (!/^https?:\/\/\S+$/i.test(text)) return false;
  return [...text.matchAll(parameters)].some(
    ([, name = '', value = '']) =>
      (isSecretSetting(name) || keyParameter.test(name)) && !value.includes('{{'),
  );
}

/** The name in `{key | name, value}`, as lists of headers and parameters are written. */
function nameOfPair(data: Readonly<Record<string, unknown>>): string | undefined {
  const name = data['key'] ?? data['name'];
  return 'value' in data && typeof name === 'string' ? name : undefined;
}

function isHeaders(key: string | undefined): boolean {
  return key !== undefined && /^(headers|query|params|cookies)$/i.test(key);
}
