/** An option that may be given several times. */
export function collectValues(value: string, before: string[] = []): string[] {
  return [...before, value];
}
