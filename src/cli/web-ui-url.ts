/**
 * The URL of the web UI. The key is in its fragment, which browsers don't send; the web UI removes it from the address bar.
 */
export function webUiUrl(server: { url: string; key: string }, app?: string): string {
  const query = app === undefined ? '' : `?app=${encodeURIComponent(app)}`;
  return `${server.url}/${query}#key=${encodeURIComponent(server.key)}`;
}

/** The same to be printed: with the key on a terminal, but not into files and journals. */
export function printableWebUiUrl(
  server: { url: string; key: string },
  stream: { isTTY?: boolean },
  app?: string,
): string {
  if (stream.isTTY) return webUiUrl(server, app);
  return `${webUiUrl({ ...server, key: '' }, app).replace(/#.*/, '')} (asks for the key of \`tailrace auth:token\`)`;
}
