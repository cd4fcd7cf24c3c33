/** The words that the API's schemas are written in. */

/** A JSON Schema, as far as it is needed here. */
export type JsonSchema = { readonly [keyword: string]: unknown };

export const string = { type: 'string' };
export const stringOrNull = { type: ['string', 'null'] };
export const integer = { type: 'integer' };
export const integerOrNull = { type: ['integer', 'null'] };
export const boolean = { type: 'boolean' };
export const dateTime = { type: 'string', format: 'date-time' };
export const dateTimeOrNull = { type: ['string', 'null'], format: 'date-time' };
export const anyValue = {};
export const strings = { type: 'array', items: string };

/** An object that has all of these properties, and may have others. */
export function objectSchema(properties: Record<string, JsonSchema>): JsonSchema {
  return { type: 'object', required: Object.keys(properties), properties };
}
/** The same or null, as `anyOf`: OpenAPI 3.1 has no `nullable`. */
export function nullable(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: 'null' }] };
}
