import { type ReactNode, useRef } from 'react';
import { Field } from '#components/field.tsx';
import { readJson } from './json-text.ts';

interface JsonEditorProps {
  readonly label: string;
  readonly help?: ReactNode;
  readonly text: string;
  readonly onChange: (text: string) => void;
  /** Where and why it is not accepted. */
  readonly problem?: { readonly problem: string; readonly line: number } | undefined;
  readonly rows?: number;
}

/** Text with line numbers; the line of a mistake is marked and told. */
export function JsonEditor({ label, help, text, onChange, problem, rows = 10 }: JsonEditorProps) {
  const numbers = useRef<HTMLDivElement>(null);
  const lines = text.split('\n').length;
  return (
    <Field label={label} help={help} error={problem?.problem}>
      {(control) => (
        <div className="editor" data-invalid={problem !== undefined || undefined}>
          <div className="editor-lines" aria-hidden="true" ref={numbers}>
            {Array.from({ length: Math.max(lines, 1) }, (_, index) => (
              <span key={index} data-bad={problem?.line === index + 1 || undefined}>
                {index + 1}
              </span>
            ))}
          </div>
          <textarea
            {...control}
            rows={Math.min(Math.max(lines, rows), 32)}
            spellCheck={false}
            autoCapitalize="none"
            autoComplete="off"
            value={text}
            onChange={(event) => onChange(event.target.value)}
            onScroll={(event) => {
              if (numbers.current !== null) numbers.current.scrollTop = event.currentTarget.scrollTop;
            }}
            onBlur={() => {
              const reading = readJson(text);
              if (reading.problem === undefined) onChange(JSON.stringify(reading.value, null, 2));
            }}
          />
        </div>
      )}
    </Field>
  );
}
