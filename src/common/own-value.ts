/** What `table` has under a name that somebody typed or sent; undefined for none. `constructor` and `__proto__` are names like others. */
export function ownValue<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
