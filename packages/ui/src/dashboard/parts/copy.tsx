import { useEffect, useState } from 'react';
import { IconButton } from '#components/button.tsx';
import { useAnnounce } from '#components/live-region.tsx';

/** Copies a text and says so; the mark changes for a moment. */
export function CopyButton({ text, what }: { text: string | (() => Promise<string>); what: string }) {
  const [isCopied, setCopied] = useState(false);
  const announce = useAnnounce();
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async () => {
    await navigator.clipboard.writeText(typeof text === 'string' ? text : await text());
    setCopied(true);
    announce(`${what} copied`);
  };
  return (
    <IconButton
      label={isCopied ? `${what} copied` : `Copy ${what}`}
      icon={isCopied ? 'check' : 'copy'}
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
  return (
    <div className="copy-line">
      <code>{shown ?? hint}</code>
      <IconButton
        label={shown === undefined ? `Show ${what}` : `Hide ${what}`}
        icon={shown === undefined ? 'eye' : 'eyeOff'}
        aria-pressed={shown !== undefined}
        onClick={() => {
          if (shown === undefined) void reveal().then(setShown);
          else setShown(undefined);
        }}
      />
      <CopyButton text={() => (shown === undefined ? reveal() : Promise.resolve(shown))} what={what} />
    </div>
  );
}
