import { type ReactNode, useId } from 'react';
import { Icon } from './icon.tsx';

/** What a control needs to be tied to its label, help and error. */
export interface ControlProps {
  readonly id: string;
  readonly 'aria-describedby': string | undefined;
  readonly 'aria-invalid': true | undefined;
  readonly 'aria-required': true | undefined;
}

interface FieldProps {
  readonly label: string;
  readonly help?: ReactNode;
  readonly error?: ReactNode;
  readonly isRequired?: boolean;
  /** The word beside the label of a required field; read out by `aria-required` instead. */
  readonly requiredWord?: string;
  /** Several controls under one label: a group with a legend. */
  readonly isGroup?: boolean;
  readonly children: (control: ControlProps) => ReactNode;
}

/** Label, help, control and error of one field, tied together. */
export function Field({ label, help, error, isRequired, requiredWord, isGroup, children }: FieldProps) {
  const id = useId();
  const described = [help !== undefined && `${id}-help`, error !== undefined && `${id}-error`].filter(
    Boolean,
  );
  const control: ControlProps = {
    id,
    'aria-describedby': described.length > 0 ? described.join(' ') : undefined,
    'aria-invalid': error === undefined ? undefined : true,
    'aria-required': isRequired ? true : undefined,
  };
  // Beside the label, not in it: `aria-required` says the same to those who hear.
  const mark = isRequired && (
    <span className="field-required" aria-hidden="true">
      {requiredWord ?? '*'}
    </span>
  );
  const body = (
    <>
      {help !== undefined && (
        <div className="field-help" id={`${id}-help`}>
          {help}
        </div>
      )}
      {children(control)}
      <div className="field-error" id={`${id}-error`} aria-live="polite">
        {error !== undefined && (
          <>
            <Icon name="alert" />
            <span>{error}</span>
          </>
        )}
      </div>
    </>
  );
  if (isGroup) {
    return (
      <fieldset className="field" data-invalid={error !== undefined || undefined}>
        <legend className="field-label">
          {label}
          {mark}
        </legend>
        {body}
      </fieldset>
    );
  }
  return (
    <div className="field" data-invalid={error !== undefined || undefined}>
      <div>
        <label className="field-label" htmlFor={id} id={`${id}-label`}>
          {label}
        </label>
        {mark}
      </div>
      {body}
    </div>
  );
}
