/**
 * The address of the live page. The key is in its fragment, which browsers keep to themselves; the page takes it out of the
 * address bar.
 */
export function webUiUrl(server: { url: string; key: string }, app?: string): string {
  const query = app === undefined ? '' : `?app=${encodeURIComponent(app)}`;
  return `${server.url}/${query}#key=${encodeURIComponent(server.key)}`;
}

/** The same to be printed: with the key for somebody at a terminal, but not into files and journals. */
export function printableWebUiUrl(
  server: { url: string; key: string },
  stream: { isTTY?: boolean },
  app?: string,
): string {
  if (stream.isTTY) return webUiUrl(server, app);
  return `${webUiUrl({ ...server, key: '' }, app).replace(/#.*/, '')} (asks for the key of \`tailrace auth:token\`)`;
}
