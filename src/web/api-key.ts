/** The API key of this browser tab: from the address's fragment, then kept for the tab's life and nowhere else. */

const STORAGE_NAME = 'tailrace-key';

/** Takes the key out of `#key=…`, so that it is neither in the address bar nor in the history. */
export function loadApiKey(): string {
  const fromFragment = new URLSearchParams(location.hash.slice(1)).get('key');
  if (fromFragment !== null) {
    history.replaceState(history.state, '', location.pathname + location.search);
    storeApiKey(fromFragment);
  }
  return sessionStorage.getItem(STORAGE_NAME) ?? '';
}

/** Keeps a key that somebody has typed. */
export function storeApiKey(key: string): void {
  sessionStorage.setItem(STORAGE_NAME, key);
}

/** Forgets the key: it was refused, or somebody logs out. */
export function clearApiKey(): void {
  sessionStorage.removeItem(STORAGE_NAME);
}
