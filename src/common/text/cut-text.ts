/** The beginning of a text, of up to so many UTF-16 units: none of its characters is cut in two. */
export function cutText(text: string, length: number): string {
  return text.length > length ? text.slice(0, length).replace(/[\ud800-\udbff]$/, '') : text;
}
