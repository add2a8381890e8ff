import { isRecord } from '#domain/exact-json';
import { pick, readValuePath, type ValuePath } from '#domain/masking/index';

/** What of a node's work others get to see (spec/workflows §9, §13). */
export interface OutputRules {
  /** Only these fields of the body go on to other nodes; undefined: all of them. */
  readonly include: readonly ValuePath[] | undefined;
  /** Fields of the body that go on as they are, and are shown to nobody. */
  readonly encrypt: readonly ValuePath[];
  /** Nothing of the request and the response is shown. */
  readonly isHidden: boolean;
  /** A cURL command of each request is kept. */
  readonly isTraced: boolean;
}

/** Names of these settings: they belong to the engine, and no node type sees them. */
export const outputSettings = ['custom_output', 'hide_node_request', 'http_trace', 'curl_trace'] as const;

const noRules: OutputRules = { include: undefined, encrypt: [], isHidden: false, isTraced: false };

/** Reads the settings of a node that decide what is shown and handed on; paths that are no paths count for nothing. */
export function readOutputRules(
  node: Readonly<Record<string, unknown>>,
  data: Readonly<Record<string, unknown>>,
): OutputRules {
  const setting = (name: (typeof outputSettings)[number]): unknown => node[name] ?? data[name];
  const custom = setting('custom_output');
  const isHidden = setting('hide_node_request') === true;
  const isTraced = setting('http_trace') === true || setting('curl_trace') === true;
  if (!isRecord(custom)) return isHidden || isTraced ? { ...noRules, isHidden, isTraced } : noRules;
  const include = pathsOf(custom['include']);
  return {
    include: include.length === 0 ? undefined : include,
    encrypt: pathsOf(custom['encrypt']),
    isHidden,
    isTraced,
  };
}

/** What is wrong with the custom output of a node, each with its place in it. */
export function customOutputProblems(custom: unknown): { path: string; message: string }[] {
  if (custom === undefined || custom === null) return [];
  if (!isRecord(custom)) return [{ path: '', message: 'write {"include": [paths], "encrypt": [paths]}' }];
  return ['include', 'encrypt'].flatMap((name) => {
    const list = custom[name];
    if (list === undefined || list === null) return [];
    if (!Array.isArray(list))
      return [{ path: name, message: 'is a list of paths, such as ["total", "lines.*.iban"]' }];
    return list.flatMap((text: unknown, index) =>
      typeof text === 'string' && readValuePath(text) !== undefined
        ? []
        : [
            {
              path: `${name}[${index}]`,
              message: `${JSON.stringify(text)} is no path; write one such as "lines.*.iban"`,
            },
          ],
    );
  });
}

/** The body as other nodes read it: unticked fields are gone. */
export function includedBody(rules: OutputRules, body: unknown): unknown {
  return rules.include === undefined ? body : (pick(body, rules.include) ?? null);
}

function pathsOf(given: unknown): ValuePath[] {
  if (!Array.isArray(given)) return [];
  return given.flatMap((text: unknown) => {
    const path = typeof text === 'string' ? readValuePath(text) : undefined;
    return path === undefined ? [] : [path];
  });
}
