import { useState } from 'react';
import { Button } from '#components/button.tsx';
import { Icon } from '#components/icon.tsx';
import { CopyButton } from './copy.tsx';

// Only what is open is drawn, a slice at a time: a list of 100,000 rows costs as much as one of 100.
const sliceSize = 100;
const longText = 600;

/** A JSON value to look into. Children are drawn when their parent is opened. */
export function JsonTree({ value, what }: { value: unknown; what: string }) {
  return (
    <div className="code">
      <div className="code-head">
        <span>{what}</span>
        <CopyButton text={() => Promise.resolve(JSON.stringify(value, null, 2) ?? '')} what={what} />
      </div>
      <div className="tree" role="group" aria-label={what} tabIndex={0}>
        {value === undefined ? (
          <span className="tree-dim">nothing</span>
        ) : (
          <Value value={value} name={undefined} isOpenAtFirst />
        )}
      </div>
    </div>
  );
}

interface ValueProps {
  readonly value: unknown;
  readonly name: string | undefined;
  readonly isOpenAtFirst?: boolean;
}

function Value({ value, name, isOpenAtFirst = false }: ValueProps) {
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  const [limit, setLimit] = useState(sliceSize);
  const label = name !== undefined && (
    <>
      <span className="tree-key">{name}</span>
      <span className="tree-dim">: </span>
    </>
  );
  if (typeof value !== 'object' || value === null) {
    return (
      <>
        {label}
        <Plain value={value} />
      </>
    );
  }
  const isList = Array.isArray(value);
  const names = isList ? undefined : Object.keys(value);
  const size = isList ? value.length : (names?.length ?? 0);
  if (size === 0) {
    return (
      <>
        {label}
        <span className="tree-dim">{isList ? '[ ]' : '{ }'}</span>
      </>
    );
  }
  const shown = Math.min(size, limit);
  return (
    <>
      <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <Icon name="arrowRight" />
        {label}
        <span className="tree-dim">
          {isList
            ? `[ ${size} ${size === 1 ? 'item' : 'items'} ]`
            : `{ ${size} ${size === 1 ? 'key' : 'keys'} }`}
        </span>
      </button>
      {isOpen && (
        <ul>
          {Array.from({ length: shown }, (_, index) => {
            const key = names?.[index] ?? String(index);
            const child = isList ? (value[index] as unknown) : (value as Record<string, unknown>)[key];
            return (
              <li key={key}>
                <Value value={child} name={key} />
              </li>
            );
          })}
          {shown < size && (
            <li>
              <Button kind="plain" onClick={() => setLimit(limit + sliceSize * 5)}>
                Show more ({size - shown} left)
              </Button>
            </li>
          )}
        </ul>
      )}
    </>
  );
}

function Plain({ value }: { value: unknown }) {
  const [isWhole, setWhole] = useState(false);
  if (typeof value !== 'string') {
    return <span className={typeof value === 'number' ? 'tree-number' : 'tree-dim'}>{String(value)}</span>;
  }
  const isCut = !isWhole && value.length > longText;
  return (
    <>
      <span className="tree-string">{JSON.stringify(isCut ? value.slice(0, longText) : value)}</span>
      {isCut && (
        <Button kind="plain" onClick={() => setWhole(true)}>
          Show all {value.length} characters
        </Button>
      )}
    </>
  );
}
