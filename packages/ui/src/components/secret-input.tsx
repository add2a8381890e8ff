import { type InputHTMLAttributes, useState } from 'react';
import { IconButton } from './button.tsx';

interface SecretInputProps extends InputHTMLAttributes<HTMLInputElement> {
  readonly showLabel: string;
  readonly hideLabel: string;
}

/** A masked line with a button that reveals it; password managers are asked to stay out. */
export function SecretInput({ showLabel, hideLabel, ...rest }: SecretInputProps) {
  const [isShown, setShown] = useState(false);
  return (
    <div className="input-group">
      <input
        {...rest}
        className="input"
        type={isShown ? 'text' : 'password'}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        data-1p-ignore=""
        data-lpignore="true"
      />
      <IconButton
        label={isShown ? hideLabel : showLabel}
        icon={isShown ? 'eyeOff' : 'eye'}
        aria-pressed={isShown}
        onClick={() => setShown(!isShown)}
      />
    </div>
  );
}
