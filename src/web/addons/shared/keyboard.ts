/** Keys of a page, by what `KeyboardEvent.key` calls them. */
export type KeyActions = Readonly<Record<string, () => void>>;

/**
 * Listens for good. `/` leads to the search, and a key does nothing while somebody types or something covers the page.
 * @param isCovered is a modal open?
 */
export function listenToKeys(actions: KeyActions, isCovered: () => boolean): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isCovered()) return;
    const target = event.target instanceof HTMLElement ? event.target : undefined;
    if (target?.closest('input, select, textarea')) {
      if (event.key === 'Escape') target.blur();
      return;
    }
    // A focused button is pressed by these two.
    if (target?.closest('button, a') && (event.key === ' ' || event.key === 'Enter')) return;
    if (event.key === '/') {
      event.preventDefault();
      const box = document.querySelector<HTMLInputElement>('#search');
      box?.focus();
      box?.select();
      return;
    }
    const action = Object.hasOwn(actions, event.key) ? actions[event.key] : undefined;
    if (!action) return;
    event.preventDefault();
    action();
  });
}
