import { useState } from 'react';

interface AppLogoProps {
  readonly name: string;
  readonly src: string | undefined;
  readonly size?: 'small' | 'large';
}

/** An app's or organisation's picture, or its first letter when there is none or it does not load. */
export function AppLogo({ name, src, size = 'small' }: AppLogoProps) {
  const [failed, setFailed] = useState<string>();
  const isUsable = src !== undefined && src !== failed && /^(https?:\/\/|\/)/.test(src);
  return (
    <span className={`logo logo-${size}`} aria-hidden="true">
      {isUsable ? (
        <img src={src} alt="" referrerPolicy="no-referrer" onError={() => setFailed(src)} />
      ) : (
        <span>{name.trim().charAt(0).toUpperCase()}</span>
      )}
    </span>
  );
}
