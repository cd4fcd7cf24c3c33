/** The words that the API's schemas are written in. */

/** A JSON Schema, as far as it is needed here. */
export type JsonSchema = { readonly [keyword: string]: unknown };

export const text = { type: 'string' };
export const textOrNull = { type: ['string', 'null'] };
export const count = { type: 'integer' };
export const countOrNull = { type: ['integer', 'null'] };
export const flag = { type: 'boolean' };
export const time = { type: 'string', format: 'date-time' };
export const timeOrNull = { type: ['string', 'null'], format: 'date-time' };
export const anything = {};
export const texts = { type: 'array', items: text };

export function shape(properties: Record<string, JsonSchema>, title?: string): JsonSchema {
  return { ...(title ? { title } : {}), type: 'object', required: Object.keys(properties), properties };
}
export function orNull(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: 'null' }] };
}
