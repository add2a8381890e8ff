import { SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import { CopyButton } from './copy.tsx';

interface CodeProps {
  readonly code: string;
  readonly what: string;
  readonly title?: string;
  /** What is copied where it differs from what is shown, such as a masked key. */
  readonly copyText?: () => Promise<string>;
}

/** A piece of code to take along. */
export function Code({ code, what, title, copyText }: CodeProps) {
  return (
    <figure className="code">
      <figcaption className="code-head">
        <span>{title ?? what}</span>
        <CopyButton text={copyText ?? code} what={what} />
      </figcaption>
      <pre tabIndex={0} aria-label={what}>
        <code>{code}</code>
      </pre>
    </figure>
  );
}

interface CodeTabsProps {
  readonly label: string;
  readonly snippets: readonly { readonly name: string; readonly code: string }[];
}

/** The same request in several languages. */
export function CodeTabs({ label, snippets }: CodeTabsProps) {
  const [name, setName] = useState(snippets[0]?.name ?? '');
  const shown = snippets.find((snippet) => snippet.name === name) ?? snippets[0];
  if (shown === undefined) return null;
  return (
    <figure className="code">
      <figcaption className="code-head">
        <SegmentedControl
          className="code-tabs"
          aria-label={label}
          data={snippets.map((snippet) => snippet.name)}
          value={shown.name}
          onChange={setName}
        />
        <CopyButton text={shown.code} what={`${shown.name} code`} />
      </figcaption>
      <pre tabIndex={0} aria-label={`${label}: ${shown.name}`}>
        <code>{shown.code}</code>
      </pre>
    </figure>
  );
}
