import type { ReactNode } from 'react';

/**
 * The Markdown of our own setup guides as elements: headings, paragraphs, lists, tables, fences, bold, code, links.
 * It makes React elements and never HTML from text, so nothing in a guide can run.
 */
export function Markdown({ text }: { text: string }) {
  return <div className="guide">{blocks(text.replaceAll('\r\n', '\n').split('\n'))}</div>;
}

interface ListItem {
  readonly lines: readonly string[];
}

function blocks(lines: readonly string[]): ReactNode[] {
  const made: ReactNode[] = [];
  let at = 0;
  const take = (accepts: (line: string) => boolean): string[] => {
    const from = at;
    while (at < lines.length && accepts(lines[at]!)) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at]!;
    const key = made.length;
    const heading = /^(#{1,4})\s+(.*)$/.exec(line);
    if (line.trim() === '') {
      at += 1;
    } else if (heading !== null) {
      at += 1;
      // The page has its own title, so the guide's headings start one below.
      made.push(
        heading[1]!.length <= 2 ? (
          <h3 key={key}>{inline(heading[2]!)}</h3>
        ) : (
          <h4 key={key}>{inline(heading[2]!)}</h4>
        ),
      );
    } else if (line.startsWith('```')) {
      at += 1;
      const code = take((one) => !one.startsWith('```'));
      at += 1;
      made.push(
        <pre key={key} tabIndex={0}>
          <code>{code.join('\n')}</code>
        </pre>,
      );
    } else if (isTableRow(line)) {
      made.push(<Table key={key} rows={take(isTableRow)} />);
    } else if (listMark(line) !== undefined) {
      const isOrdered = /^\s*\d/.test(line);
      const items = listItems(
        take((one) => listMark(one) !== undefined || one.trim() === '' || /^\s{2,}/.test(one)),
      );
      const inner = items.map((item, index) => <li key={index}>{blocksOrText(item.lines)}</li>);
      made.push(isOrdered ? <ol key={key}>{inner}</ol> : <ul key={key}>{inner}</ul>);
    } else {
      const paragraph = take(
        (one) =>
          one.trim() !== '' &&
          !/^#{1,4}\s/.test(one) &&
          !one.startsWith('```') &&
          !isTableRow(one) &&
          listMark(one) === undefined,
      );
      made.push(<p key={key}>{inline(paragraph.join(' '))}</p>);
    }
  }
  return made;
}

function isTableRow(line: string): boolean {
  return /^\s*\|.*\|\s*$/.test(line);
}

function listMark(line: string): string | undefined {
  return /^(\d+\.|[-*])\s+/.exec(line)?.[0];
}

function listItems(lines: readonly string[]): ListItem[] {
  const items: string[][] = [];
  for (const line of lines) {
    const mark = listMark(line);
    if (mark !== undefined) items.push([line.slice(mark.length)]);
    else items.at(-1)?.push(line.replace(/^\s{1,4}/, ''));
  }
  return items.map((item) => ({ lines: item }));
}

/** An item of one paragraph stays one line of text. */
function blocksOrText(lines: readonly string[]): ReactNode {
  const isPlain = lines.every(
    (line) => line.trim() !== '' && !isTableRow(line) && listMark(line) === undefined,
  );
  return isPlain ? inline(lines.join(' ')) : blocks(lines);
}

function Table({ rows }: { rows: readonly string[] }) {
  const cells = rows
    .filter((row) => !/^[\s|:-]+$/.test(row))
    .map((row) =>
      row
        .trim()
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
  const [head, ...body] = cells;
  return (
    <div className="table-wrap">
      <table>
        <thead>
          <tr>
            {head?.map((cell, index) => (
              <th key={index}>{inline(cell)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {body.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column}>{inline(cell)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const marks = /(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\(https?:\/\/[^)\s]+\))/g;

function inline(text: string): ReactNode[] {
  return text.split(marks).map((part, index) => {
    if (part.startsWith('`') && part.endsWith('`') && part.length > 2)
      return <code key={index}>{part.slice(1, -1)}</code>;
    if (part.startsWith('**') && part.endsWith('**') && part.length > 4)
      return <strong key={index}>{part.slice(2, -2)}</strong>;
    const link = /^\[([^\]]+)\]\((https?:\/\/[^)\s]+)\)$/.exec(part);
    if (link === null) return part;
    return (
      <a key={index} href={link[2]} target="_blank" rel="noreferrer noopener">
        {link[1]}
      </a>
    );
  });
}
