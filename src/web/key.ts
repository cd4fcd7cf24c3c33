/** The API key of this browser tab: from the address's fragment, then kept for the tab's life and nowhere else. */

const NAME = 'tailrace-key';

/** Takes the key out of `#key=…`, so that it stands neither in the address bar nor in the history. */
export function takeKey(): string {
  const given = new URLSearchParams(location.hash.slice(1)).get('key');
  if (given !== null) {
    history.replaceState(history.state, '', location.pathname + location.search);
    keepKey(given);
  }
  return sessionStorage.getItem(NAME) ?? '';
}

export function keepKey(key: string): void {
  sessionStorage.setItem(NAME, key);
}

export function forgetKey(): void {
  sessionStorage.removeItem(NAME);
}
