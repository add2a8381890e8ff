import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import type { UserConfig } from 'vite';

/**
 * Vite settings of one of our two static applications, `src/<name>` built to `dist/<name>`.
 * Everything the page loads is a file of its own origin with a hashed name: the content security policy
 * (`script-src 'self'; style-src 'self'`) refuses inline scripts and styles and `data:` addresses.
 */
export function appConfig(name: 'dashboard' | 'portal', base: '/' | '/connect/'): UserConfig {
  const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  return {
    root: folder(`./src/${name}`),
    base,
    plugins: [react()],
    build: {
      outDir: folder(`./dist/${name}`),
      emptyOutDir: true,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      // The first browsers with light-dark(), on which the tokens stand.
      target: ['chrome123', 'firefox120', 'safari17.5'],
      reportCompressedSize: false,
    },
    server: {
      // `npm run dev:portal -w packages/ui` beside a running `npm start`.
      proxy: { '/api': process.env['INLAY_URL'] ?? 'http://localhost:3000' },
    },
  };
}
