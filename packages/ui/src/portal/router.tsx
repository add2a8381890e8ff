import {
  type AnchorHTMLAttributes,
  createContext,
  type MouseEvent,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useState,
} from 'react';
import { Button } from '#components/button.tsx';
import { Dialog } from '#components/dialog.tsx';
import { t } from './messages/messages.ts';

/** A page of the portal. */
export type Route = { readonly page: 'list' } | { readonly page: 'app'; readonly slug: string };

/** The page a path of ours names; anything unknown is the list. */
function parseRoute(pathname: string): Route {
  const slug = /^\/connect\/apps\/([^/]+)\/?$/.exec(pathname)?.[1];
  try {
    return slug === undefined ? { page: 'list' } : { page: 'app', slug: decodeURIComponent(slug) };
  } catch {
    return { page: 'list' };
  }
}

export function pathOf(route: Route): string {
  return route.page === 'list' ? '/connect/' : `/connect/apps/${encodeURIComponent(route.slug)}`;
}

interface Router {
  readonly route: Route;
  readonly navigate: (route: Route) => void;
  /** While set, leaving the page asks first: edits would be lost. */
  readonly setGuarded: (isGuarded: boolean) => void;
}

const RouterContext = createContext<Router | undefined>(undefined);

export function useRouter(): Router {
  const router = useContext(RouterContext);
  if (router === undefined) throw new Error('useRouter is used outside RouterProvider');
  return router;
}

/** Keeps the address bar and the page in step, and asks before edits are left behind. */
export function RouterProvider({ children }: { children: ReactNode }) {
  const [route, setRoute] = useState(() => parseRoute(location.pathname));
  const [wanted, setWanted] = useState<Route>();
  const isGuarded = useRef(false);
  const current = useRef(route);
  current.current = route;

  const go = useCallback((to: Route) => {
    history.pushState(null, '', pathOf(to) + location.search);
    setRoute(to);
    scrollTo(0, 0);
  }, []);
  const navigate = useCallback((to: Route) => (isGuarded.current ? setWanted(to) : go(to)), [go]);
  const setGuarded = useCallback((value: boolean) => {
    isGuarded.current = value;
  }, []);

  useEffect(() => {
    const onPopState = () => {
      const to = parseRoute(location.pathname);
      if (!isGuarded.current) {
        setRoute(to);
        return;
      }
      // The browser has moved already: put the address back before asking.
      history.pushState(null, '', pathOf(current.current) + location.search);
      setWanted(to);
    };
    const onBeforeUnload = (event: BeforeUnloadEvent) => {
      if (isGuarded.current) event.preventDefault();
    };
    addEventListener('popstate', onPopState);
    addEventListener('beforeunload', onBeforeUnload);
    return () => {
      removeEventListener('popstate', onPopState);
      removeEventListener('beforeunload', onBeforeUnload);
    };
  }, []);

  const stay = () => setWanted(undefined);
  return (
    <RouterContext value={{ route, navigate, setGuarded }}>
      {children}
      {wanted !== undefined && (
        <Dialog
          title={t('leave_title')}
          onClose={stay}
          actions={
            <>
              <Button onClick={stay}>{t('leave_stay')}</Button>
              <Button
                kind="danger"
                onClick={() => {
                  isGuarded.current = false;
                  setWanted(undefined);
                  go(wanted);
                }}
              >
                {t('leave_confirm')}
              </Button>
            </>
          }
        >
          <p>{t('leave_text')}</p>
        </Dialog>
      )}
    </RouterContext>
  );
}

interface LinkProps extends Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'> {
  readonly to: Route;
}

/** A link to a page of ours; with a modifier key it stays the browser's. */
export function Link({ to, ...rest }: LinkProps) {
  const { navigate } = useRouter();
  const onClick = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return <a {...rest} href={pathOf(to)} onClick={onClick} />;
}
