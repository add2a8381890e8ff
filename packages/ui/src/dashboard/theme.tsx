import { createTheme, MantineProvider } from '@mantine/core';
import type { ReactNode } from 'react';

/**
 * Mantine without the style elements it would write at run time: the content security policy allows none. Its
 * variables are in mantine.css instead, and no component with responsive props (which write some too) is used.
 */
const theme = createTheme({
  focusRing: 'auto',
  respectReducedMotion: true,
  components: {
    Popover: { defaultProps: { transitionProps: { duration: 0 } } },
    Menu: { defaultProps: { transitionProps: { duration: 0 } } },
    Combobox: { defaultProps: { transitionProps: { duration: 0 } } },
  },
});

export function Theme({ children }: { children: ReactNode }) {
  return (
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      {children}
    </MantineProvider>
  );
}
