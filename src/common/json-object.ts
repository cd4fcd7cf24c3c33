/** An object of JSON that somebody sent: nothing is known of its members. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Neither null nor an array is one. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
