import { parse } from 'es-module-lexer';

/**
 * `import` of an author's code as `require`, line for line, so that errors still name the author's lines; `export`
 * before the function is taken away. Code that does not parse is given back as it is: the sandbox says what is wrong.
 */
export function readImports(code: string): string {
  if (!/\b(?:import|export)\b/.test(code)) return code;
  let found: ReturnType<typeof parse>;
  try {
    found = parse(code);
  } catch {
    return code;
  }
  let read = code;
  for (const item of found[0].toReversed()) {
    const { importStart: from, importEnd: to } = item;
    if (item.type === 'static')
      read = read.slice(0, from) + asRequire(code.slice(from, to), item.specifier) + read.slice(to);
    else if (item.type === 'dynamic')
      read = `${read.slice(0, from)}(async (name) => require(name))${read.slice(from + 'import'.length)}`;
  }
  return found[1].length === 0
    ? read
    : read.replace(
        /^([ \t]*)export[ \t]+(?:default[ \t]+)?(?=async\b|function\b|const\b|let\b|var\b|class\b)/gm,
        '$1',
      );
}

/** One import declaration as declarations of constants, with as many line ends as it had. */
function asRequire(statement: string, name: string): string {
  const clause = /^import\s*([\s\S]*?)\s*\bfrom\b\s*["']/.exec(statement)?.[1] ?? '';
  const module = `require(${JSON.stringify(name)})`;
  const lines = '\n'.repeat(statement.split('\n').length - 1);
  const parts: string[] = [];
  const named = /\{([\s\S]*)\}/.exec(clause)?.[1];
  const all = /\*\s*as\s+([\w$]+)/.exec(clause)?.[1];
  const main = /^([\w$]+)/.exec(clause)?.[1];
  if (main !== undefined) parts.push(`${main} = ((m) => m.default ?? m)(${module})`);
  if (all !== undefined) parts.push(`${all} = ${module}`);
  if (named !== undefined)
    parts.push(
      `{${named.replaceAll(/([\w$]+)\s+as\s+([\w$]+)/g, '$1: $2').replaceAll('\n', ' ')}} = ${module}`,
    );
  return parts.length === 0 ? `${module}${lines}` : `const ${parts.join(', ')}${lines}`;
}
