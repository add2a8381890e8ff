import { createContext, useContext } from 'react';
import type { PortalApi } from './api/portal-api.ts';
import type { PortalSession } from './api/wire.ts';

interface PortalContextValue {
  readonly session: PortalSession;
  readonly api: PortalApi;
}

export const PortalContext = createContext<PortalContextValue | undefined>(undefined);

/** The opened session and the calls it allows. */
export function usePortal(): PortalContextValue {
  const value = useContext(PortalContext);
  if (value === undefined) throw new Error('usePortal is used outside PortalContext');
  return value;
}
