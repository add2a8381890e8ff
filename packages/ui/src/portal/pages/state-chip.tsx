import { Icon } from '#components/icon.tsx';
import type { ConnectionState } from '../connection-state.ts';
import { t } from '../messages/messages.ts';

interface StateChipProps {
  readonly state: ConnectionState;
  /** A list of mostly unconnected apps is calmer without a chip on each; screen readers still hear it. */
  readonly isNoneSilent?: boolean;
}

/** The state of an app in a word and a mark, never in colour alone. */
export function StateChip({ state, isNoneSilent = false }: StateChipProps) {
  if (state === 'none') {
    return <span className={isNoneSilent ? 'only-heard' : 'chip'}>{t('state_none')}</span>;
  }
  return (
    <span className={`chip chip-${state}`}>
      <Icon name={state === 'connected' ? 'check' : 'alert'} />
      {t(state === 'connected' ? 'state_connected' : 'state_expired')}
    </span>
  );
}
