/** An object of JSON that somebody sent: nothing is known of its members. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Neither null nor an array is one. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
