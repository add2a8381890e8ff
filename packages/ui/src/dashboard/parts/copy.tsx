import { useEffect, useState } from 'react';
import { IconButton } from '#components/button.tsx';
import { Icon } from '#components/icon.tsx';
import { useAnnounce } from '#components/live-region.tsx';
import { errorText } from '../api/http.ts';
import { putInClipboard } from './put-in-clipboard.ts';

const shownMs = 1600;

/** Copies a text and says so; the mark changes for a moment. */
export function CopyButton({ text, what }: { text: string | (() => Promise<string>); what: string }) {
  const [outcome, setOutcome] = useState<'copied' | 'failed'>();
  const announce = useAnnounce();
  useEffect(() => {
    if (outcome === undefined) return undefined;
    const timer = setTimeout(() => setOutcome(undefined), shownMs);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => {
    try {
      await putInClipboard(typeof text === 'string' ? text : await text());
      setOutcome('copied');
      announce(`${what} copied`);
    } catch (error) {
      setOutcome('failed');
      announce(`${what} could not be copied: ${errorText(error)}`);
    }
  };
  const labels = { copied: `${what} copied`, failed: `${what} could not be copied` };
  const icons = { copied: 'check', failed: 'alert' } as const;
  return (
    <IconButton
      label={outcome === undefined ? `Copy ${what}` : labels[outcome]}
      icon={outcome === undefined ? 'copy' : icons[outcome]}
      onClick={() => void copy()}
    />
  );
}

/** A value to take elsewhere, byte for byte. */
export function CopyLine({ value, what }: { value: string; what: string }) {
  return (
    <div className="copy-line">
      <code>{value}</code>
      <CopyButton text={value} what={what} />
    </div>
  );
}

interface SecretLineProps {
  readonly what: string;
  /** What may be seen of it without asking. */
  readonly hint: string;
  readonly reveal: () => Promise<string>;
}

/** A secret that stays on the server until somebody asks to see or copy it. */
export function SecretLine({ what, hint, reveal }: SecretLineProps) {
  const [shown, setShown] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const show = () =>
    reveal().then(
      (secret) => {
        setProblem(undefined);
        setShown(secret);
        return undefined;
      },
      (error: unknown) => setProblem(errorText(error)),
    );
  return (
    <div>
      <div className="copy-line">
        <code>{shown ?? hint}</code>
        <IconButton
          label={shown === undefined ? `Show ${what}` : `Hide ${what}`}
          icon={shown === undefined ? 'eye' : 'eyeOff'}
          aria-pressed={shown !== undefined}
          onClick={() => {
            if (shown === undefined) void show();
            else setShown(undefined);
          }}
        />
        <CopyButton text={() => (shown === undefined ? reveal() : Promise.resolve(shown))} what={what} />
      </div>
      <div className="field-error" role="alert">
        {problem !== undefined && (
          <>
            <Icon name="alert" />
            <span>{problem}</span>
          </>
        )}
      </div>
    </div>
  );
}
