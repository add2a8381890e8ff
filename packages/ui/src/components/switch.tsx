interface SwitchProps {
  readonly label: string;
  readonly isOn: boolean;
  readonly onChange: (isOn: boolean) => void;
  readonly describedBy?: string | undefined;
}

/** On or off, at once visible without colour: the knob moves and carries a mark. */
export function Switch({ label, isOn, onChange, describedBy }: SwitchProps) {
  return (
    <button
      type="button"
      role="switch"
      className="switch"
      aria-checked={isOn}
      aria-label={label}
      aria-describedby={describedBy}
      onClick={() => onChange(!isOn)}
    >
      <span className="switch-knob" aria-hidden="true" />
    </button>
  );
}
