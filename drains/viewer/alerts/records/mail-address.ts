const ADDRESS = /^[^\s@<>()[\],;:"\\\p{C}]{1,64}@[^\s@<>()[\],;:"\\\p{C}]{1,190}$/u;
const NAMED = /^[^<>\p{C}]{0,100}<([^<>]{1,254})>$/u;

/** Is it one address, without names, lists or groups, of which a mail's header could be made something else? */
export function isMailAddress(text: string): boolean {
  return text.length <= 254 && ADDRESS.test(text);
}

/** Is it an address that a mail may come from: `logs@example.com`, or `Logs <logs@example.com>`? */
export function isMailSender(text: string): boolean {
  return isMailAddress(NAMED.exec(text)?.[1] ?? text);
}
