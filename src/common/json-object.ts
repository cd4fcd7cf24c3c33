/** An object of JSON that somebody sent: nothing is known of its members. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Neither null nor an array is one. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A text, a number or a flag of JSON as text; undefined for everything else. `String()` throws for an object that has a `toString` of its
 * own, and so does any template.
 */
export function scalarText(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}

/** What `Number()` makes of a text, a number or a flag of JSON; NaN for objects and lists, for which it may throw. */
export function scalarNumber(value: unknown): number {
  return typeof value === 'object' ? Number.NaN : Number(value);
}

/** Undefined for text that isn't JSON, and for JSON that is something else. */
export function parseJsonObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
