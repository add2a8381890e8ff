/**
 * Puts text in the clipboard. Browsers offer the clipboard to secure pages only; an installation that is reached
 * over plain HTTP by another name than localhost copies from a selected field instead.
 */
export async function putInClipboard(text: string): Promise<void> {
  // Declared as always there, but it is not on an insecure origin.
  const { clipboard } = navigator as { clipboard?: Clipboard };
  if (clipboard !== undefined) {
    await clipboard.writeText(text);
    return;
  }
  const before = document.activeElement;
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'only-heard';
  // In a modal dialog everything outside it is inert and cannot be selected.
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  const isCopied = document.execCommand('copy');
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  if (!isCopied) throw new Error('The browser does not allow it. Select the text and copy it by hand.');
}
