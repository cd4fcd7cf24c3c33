/** Says something to people, in the form of the `tailrace` command. */
export function writeNotice(text: string): void {
  process.stderr.write(` ›   ${text}\n`);
}
