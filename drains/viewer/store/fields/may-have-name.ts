/** Is a name of small letters in `bytes[start, end)`, in any case? */
export function mayHaveName(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  const { length } = name;
  const first = name[0];
  const last = end - length;
  for (let i = start; i <= last; i++) {
    if ((bytes[i] | 0x20) !== first) continue;
    let k = 1;
    while (k < length && (bytes[i + k] | 0x20) === name[k]) k++;
    if (k === length) return true;
  }
  return false;
}
