/**
 * An OTLP request without what its two encodings differ in: protobuf has no empty lists, and the tests' decoder doesn't know a scope's
 * version.
 */
export const comparable = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, one) =>
      (Array.isArray(one) && one.length === 0) || key === 'version' ? undefined : one,
    ),
  );
