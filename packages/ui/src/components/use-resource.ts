import { useCallback, useEffect, useRef, useState } from 'react';

/** Something loaded from the server: what is known, what went wrong, and whether a load is under way. */
export interface Resource<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  readonly isLoading: boolean;
  readonly reload: () => void;
  /** Puts a newer truth in place, as a save or a poll returned it. */
  readonly replace: (data: T) => void;
}

/**
 * Loads on mount and whenever `load` changes; give it a stable function. A late answer of an abandoned load
 * is dropped, and a reload keeps the old data on the screen.
 */
export function useResource<T>(load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const [state, setState] = useState<{ data?: T; error?: unknown; isLoading: boolean }>({ isLoading: true });
  const [round, setRound] = useState(0);
  const loaded = useRef(load);
  useEffect(() => {
    const abort = new AbortController();
    const isOther = loaded.current !== load;
    loaded.current = load;
    setState((old) => (isOther ? { isLoading: true } : { ...old, isLoading: true }));
    load(abort.signal).then(
      (data) => {
        if (!abort.signal.aborted) setState({ data, isLoading: false });
        return undefined;
      },
      (error: unknown) => {
        if (!abort.signal.aborted) setState((old) => ({ ...old, error, isLoading: false }));
      },
    );
    return () => abort.abort();
  }, [load, round]);
  const reload = useCallback(() => setRound((old) => old + 1), []);
  const replace = useCallback((data: T) => setState({ data, isLoading: false }), []);
  return { data: state.data, error: state.error, isLoading: state.isLoading, reload, replace };
}
