const exact = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const steps = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

/** A moment: how long ago in words where it is recent, and the exact time on hover. */
export function Time({ at, isExact = false }: { at: string; isExact?: boolean }) {
  const date = new Date(at);
  return (
    <time dateTime={at} title={exact.format(date)} className="nowrap">
      {isExact ? exact.format(date) : ago(date)}
    </time>
  );
}

function ago(date: Date): string {
  const distance = date.getTime() - Date.now();
  if (Math.abs(distance) > 7 * 86_400_000) return exact.format(date);
  for (const [unit, size] of steps) {
    if (Math.abs(distance) >= size) return relative.format(Math.round(distance / size), unit);
  }
  return 'just now';
}

/** A length of time as a person reads it. */
export function duration(ms: number | null): string {
  if (ms === null) return '–';
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}
