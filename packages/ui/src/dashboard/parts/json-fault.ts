/**
 * The offset at which text stops being JSON (RFC 8259), or undefined when it is JSON. Browsers tell the place of a
 * mistake only sometimes and each in its own words, so the text is walked once more.
 */
export function jsonFaultAt(text: string): number | undefined {
  let at = 0;
  const space = () => skip(/[ \t\n\r]*/y);
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return false;
    at += found[0].length;
    return true;
  };
  const take = (character: string): boolean => {
    if (text[at] !== character) return false;
    at += 1;
    return true;
  };
  const string = () => {
    if (!take('"')) return false;
    // As far as it is right, so that `at` stops on the character that is not.
    // oxlint-disable-next-line no-control-regex -- RFC 8259 §7: control characters must be escaped
    skip(/(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y);
    return take('"');
  };
  const list = (end: string, item: () => boolean): boolean => {
    space();
    if (take(end)) return true;
    for (;;) {
      space();
      if (!item()) return false;
      space();
      if (take(end)) return true;
      if (!take(',')) return false;
    }
  };
  const member = () => {
    if (!string()) return false;
    space();
    return take(':') && value();
  };
  const value = (): boolean => {
    space();
    if (text[at] === '"') return string();
    if (take('{')) return list('}', member);
    if (take('[')) return list(']', value);
    return skip(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
  };
  const isValue = value();
  if (isValue) space();
  return isValue && at === text.length ? undefined : at;
}
