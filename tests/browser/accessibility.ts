import assert from 'node:assert/strict';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { until } from '../inlay.ts';

/**
 * What axe finds wrong with a page as it stands, a line each.
 *
 * @param only - `colours`: of a page that was looked at as a whole in another colour scheme or brand, where only what
 *   depends on colours can have changed
 */
export async function violationsOf(page: Page, only?: 'colours'): Promise<string[]> {
  // Without frames there is nothing to put together on a page of its own, which takes half of the time.
  assert.equal(page.frames().length, 1, 'axe is asked in a way that sees no frames');
  const axe = new AxeBuilder({ page }).setLegacyMode();
  if (only === 'colours') axe.withRules(['color-contrast', 'link-in-text-block']);
  const { violations } = await axe.analyze();
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map(({ target, html, failureSummary }) => `${target.join(' ')} ${html} ${failureSummary}`).join('\n')}`,
  );
}

export interface View {
  readonly scheme: 'light' | 'dark';
  readonly width: number;
}

/** Shows a page that is open already in another way, and waits until it stands still. */
export async function showIn(page: Page, { scheme, width }: View): Promise<void> {
  await page.emulateMedia({ colorScheme: scheme });
  await page.setViewportSize({ width, height: page.viewportSize()?.height ?? 800 });
  await page.evaluate(
    'new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))',
  );
  const isStill =
    'document.getAnimations().every((a) => !(a instanceof CSSTransition) || a.playState !== "running")';
  await until(() => page.evaluate<boolean>(isStill), { what: 'colours to have changed' });
}

/** Looks at a page in both colour schemes at each width: nothing may be wrong, and nothing may scroll sideways. */
export async function assertAccessible(
  page: Page,
  what: string,
  widths: readonly number[],
  onEach?: (view: View) => Promise<unknown>,
): Promise<void> {
  for (const scheme of ['light', 'dark'] as const) {
    for (const width of widths) {
      await showIn(page, { scheme, width });
      const where = `${what}, ${scheme}, ${width} px`;
      assert.deepEqual(await violationsOf(page, scheme === 'dark' ? 'colours' : undefined), [], where);
      const pageWidth = await page.evaluate<number>('document.documentElement.scrollWidth');
      assert.ok(pageWidth <= width, `${where}: it is ${pageWidth} px wide`);
      await onEach?.({ scheme, width });
    }
  }
}
