/** The moments around each commit where losing the process must lose or repeat nothing. */
export const crashPoints = [
  'start.before-commit',
  'start.after-commit',
  'claim.before-commit',
  'claim.after-commit',
  'attempt.before-start-commit',
  'attempt.after-start-commit',
  'attempt.after-call',
  'outcome.before-commit',
  'outcome.after-commit',
  'batch.before-commit',
  'batch.after-commit',
  'final.before-commit',
  'final.after-commit',
  'suspend.before-commit',
  'suspend.after-commit',
  'wake.before-commit',
  'wake.after-commit',
  'takeover.before-commit',
  'takeover.after-commit',
] as const;

export type CrashPoint = (typeof crashPoints)[number];

/** Called at each point; the product passes none, so a point costs one comparison with `undefined`. */
export type CrashHook = (point: CrashPoint) => void;

/**
 * A hook that kills this very process, as a power cut would, the `nth` time it comes to `point`.
 *
 * @param spec - `attempt.after-call` or `attempt.after-call:3`
 */
export function crashAt(spec: string): CrashHook {
  const [name, nth = '1'] = spec.split(':');
  if (!crashPoints.some((point) => point === name)) throw new Error(`There is no crash point "${name}".`);
  let left = Number(nth);
  return (point) => {
    if (point !== name) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
