/** Moves the focus to the first control marked invalid, once the marks are on the page. */
export function focusFirstInvalid(root: HTMLElement | null): void {
  requestAnimationFrame(() => {
    const invalid = root?.querySelector<HTMLElement>(
      '[aria-invalid="true"], [data-invalid] :is(input, button, textarea)',
    );
    invalid?.focus();
    invalid?.scrollIntoView({ block: 'center' });
  });
}
