import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from 'react';
import { Icon } from '#components/icon.tsx';

const Say = createContext<(text: string) => void>(() => {});

/** Tells in a corner, and to screen readers, that something worked. */
export function useToast(): (text: string) => void {
  return useContext(Say);
}

/** Holds the one corner message; the region exists before its first word, or readers miss it. */
export function Toasts({ children }: { children: ReactNode }) {
  const [text, setText] = useState<{ words: string }>();
  const say = useCallback((words: string) => setText({ words }), []);
  useEffect(() => {
    if (text === undefined) return undefined;
    const timer = setTimeout(() => setText(undefined), 5000);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <Say value={say}>
      {children}
      <div className="toast" role="status">
        {text !== undefined && (
          <>
            <Icon name="check" />
            <span>{text.words}</span>
          </>
        )}
      </div>
    </Say>
  );
}
