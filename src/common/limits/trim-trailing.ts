/** A text without a character at its end, however often it is there. (`/x+$/` looks at each of them again for each of them.) */
export function trimTrailing(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end--;
  return text.slice(0, end);
}
