/** Reads JSON that somebody sent: what isn't of the expected type is as if it weren't there. */

import { isJsonObject, scalarText } from '../../../../common/json-object.ts';

/** A member of an object, its own: never one of its prototype. */
export function memberOf(value: unknown, key: string): unknown {
  return isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** A text; numbers and booleans as texts. Undefined for everything else, and for an empty one. */
export function textOf(value: unknown): string | undefined {
  return scalarText(value) || undefined;
}

/** Undefined for what isn't a finite number, numbers in texts included. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Empty for what isn't an array. */
export function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A list that SDKs send as an array, as `{"values": […]}`, or as its only element. */
export function valuesOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const values = memberOf(value, 'values');
  if (Array.isArray(values)) return values;
  return isJsonObject(value) && values === undefined ? [value] : [];
}
