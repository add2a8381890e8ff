/** Latencies in milliseconds of one load, sorted. */
export class Latencies {
  readonly #sorted: readonly number[];

  constructor(milliseconds: readonly number[]) {
    this.#sorted = milliseconds.toSorted((a, b) => a - b);
  }

  /** `quantile(0.99)` is the latency that 99 of 100 calls stay under. */
  quantile(q: number): number {
    const index = Math.min(this.#sorted.length - 1, Math.floor(q * this.#sorted.length));
    return this.#sorted[index] ?? Number.NaN;
  }

  get count(): number {
    return this.#sorted.length;
  }
}

interface Load {
  readonly latencies: Latencies;
  readonly perSecond: number;
}

/** `callers` callers, each sending its next call when the last was answered, until `seconds` have passed. */
export async function closedLoad(
  call: () => Promise<void>,
  { callers, seconds }: { readonly callers: number; readonly seconds: number },
): Promise<Load> {
  const latencies: number[] = [];
  const begun = performance.now();
  const end = begun + seconds * 1_000;
  const caller = async () => {
    while (performance.now() < end) {
      const sent = performance.now();
      await call();
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return {
    latencies: new Latencies(latencies),
    perSecond: latencies.length / ((performance.now() - begun) / 1_000),
  };
}

/**
 * Calls at a fixed rate whatever the answers take, as independent senders do. Latency counts from the moment a
 * call was due, so a stall of the server is not hidden by callers who wait for it.
 */
export async function openLoad(
  call: () => Promise<void>,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<Load> {
  const latencies: number[] = [];
  const total = perSecond * seconds;
  const begun = performance.now();
  const inFlight: Promise<void>[] = [];
  const timedFrom = async (dueAt: number) => {
    await call();
    latencies.push(performance.now() - dueAt);
  };
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - begun) / 1_000) * perSecond) + 1);
    for (; sent < due; sent += 1) {
      const dueAt = begun + (sent / perSecond) * 1_000;
      inFlight.push(timedFrom(dueAt));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(inFlight);
  return {
    latencies: new Latencies(latencies),
    perSecond: latencies.length / ((performance.now() - begun) / 1_000),
  };
}

/** Two calls in turn, A B A B …, so that a drift of the machine meets both. */
export async function pairedLoad(
  a: () => Promise<void>,
  b: () => Promise<void>,
  { callers, seconds }: { readonly callers: number; readonly seconds: number },
): Promise<{ readonly a: Latencies; readonly b: Latencies }> {
  const first: number[] = [];
  const second: number[] = [];
  const end = performance.now() + seconds * 1_000;
  const timed = async (call: () => Promise<void>, into: number[]) => {
    const sent = performance.now();
    await call();
    into.push(performance.now() - sent);
  };
  const caller = async () => {
    while (performance.now() < end) {
      await timed(a, first);
      await timed(b, second);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { a: new Latencies(first), b: new Latencies(second) };
}
