import { Icon, type IconName } from '#components/icon.tsx';

type Tone = 'positive' | 'caution' | 'danger' | 'active' | 'neutral';

/** A state in a word, a drawing and a colour. */
export function Status({ tone, icon, children }: { tone: Tone; icon: IconName; children: string }) {
  return (
    <span className={`status status-${tone}`}>
      <Icon name={icon} />
      {children}
    </span>
  );
}

const runStates: Readonly<Record<string, { tone: Tone; icon: IconName; word: string }>> = {
  QUEUED: { tone: 'neutral', icon: 'clock', word: 'Queued' },
  RUNNING: { tone: 'active', icon: 'refresh', word: 'Running' },
  STARTED: { tone: 'active', icon: 'refresh', word: 'Running' },
  WAITING: { tone: 'caution', icon: 'clock', word: 'Waiting' },
  RETRYING: { tone: 'caution', icon: 'refresh', word: 'Retrying' },
  COMPLETED: { tone: 'positive', icon: 'check', word: 'Completed' },
  SUCCESS: { tone: 'positive', icon: 'check', word: 'Succeeded' },
  ERRORED: { tone: 'danger', icon: 'alert', word: 'Errored' },
  ERRORED_AND_SKIPPED: { tone: 'caution', icon: 'alert', word: 'Errored, skipped' },
  REJECTED: { tone: 'caution', icon: 'cross', word: 'Rejected' },
  STOPPED: { tone: 'caution', icon: 'stop', word: 'Stopped' },
  TIMED_OUT: { tone: 'danger', icon: 'clock', word: 'Timed out' },
  TERMINATED: { tone: 'danger', icon: 'stop', word: 'Terminated' },
  NOT_RUN: { tone: 'neutral', icon: 'clock', word: 'Not run' },
};

/** The state of an execution or of one of its nodes. */
export function RunStatus({ status }: { status: string }) {
  const known = runStates[status.toUpperCase()] ?? { tone: 'neutral', icon: 'clock', word: status };
  return (
    <Status tone={known.tone} icon={known.icon}>
      {known.word}
    </Status>
  );
}
