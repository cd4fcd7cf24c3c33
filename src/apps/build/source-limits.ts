/** What the source of an app may hold, unpacked. */
export const SOURCE_LIMITS = { byteCountMax: 2 * 1024 ** 3, entryCountMax: 500_000 } as const;
