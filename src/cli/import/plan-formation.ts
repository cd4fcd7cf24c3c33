/** Process types of another platform: how many dynos of which size here. */

import { parseDynoSize } from '../../apps/records/dyno-sizes.ts';
import { ownValue } from '../../common/own-value.ts';
import type { DestinationApp } from './destination.ts';
import { differs, type ImportNote, type PlanPart } from './import-plan.ts';
import type { SourceProcess } from './source-app.ts';

/** Heroku's sizes that aren't here, and the one with as much memory or the next below it. */
const LIKE_SIZES: Readonly<Record<string, string>> = {
  'performance-l-ram': 'Performance-L',
  'performance-xl': 'Performance-L',
  'performance-2xl': 'Performance-L',
  'private-s': 'Standard-2X',
  'private-m': 'Performance-M',
  'private-l': 'Performance-L',
  'private-l-ram': 'Performance-L',
  'private-xl': 'Performance-L',
  'private-2xl': 'Performance-L',
  'shield-s': 'Standard-2X',
  'shield-m': 'Performance-M',
  'shield-l': 'Performance-L',
  'shield-xl': 'Performance-L',
  'shield-2xl': 'Performance-L',
  free: 'Basic',
  hobby: 'Basic',
};
const QUANTITY_MAX = 100;

/** The formation's part of a plan. @param app here; undefined: it is still to be made */
export function planFormation(
  formation: readonly SourceProcess[],
  app: DestinationApp | undefined,
): PlanPart {
  const notes: ImportNote[] = [];
  const wanted = formation.map(({ type, quantity, size }) => {
    if (quantity > QUANTITY_MAX)
      notes.push(
        differs(`${type}: ${QUANTITY_MAX} dynos instead of ${quantity}, as many as one type may have`),
      );
    return { type, quantity: Math.min(quantity, QUANTITY_MAX), size: sizeHere(type, size, notes) };
  });
  if (wanted.length === 0) return { steps: [], notes };
  if (wanted.some(({ quantity }) => quantity > 0))
    notes.push(
      differs(
        'dynos share the processor and memory of this machine; a size is a quota of memory, and never sleeps or scales by itself',
      ),
    );
  const shown = wanted.map(({ type, quantity, size }) => `${type}=${quantity}${size ? `:${size}` : ''}`);
  const what = `formation ${shown.join(' ')}`;
  if (app?.isDeployed) {
    const other = wanted.filter((one) => {
      const now = app.formation.find(({ type }) => type === one.type);
      return now !== undefined && (now.quantity !== one.quantity || (one.size && now.size !== one.size));
    });
    for (const { type, quantity, size } of other)
      notes.push(
        differs(
          `${type} is scaled otherwise here, which stays (there: ${quantity}${size ? `:${size}` : ''})`,
        ),
      );
    return { steps: [{ what }], notes };
  }
  const updates = wanted.map(({ size, ...one }) => (size ? { ...one, size } : one));
  return {
    steps: [
      {
        what: `${what}, from the first release on`,
        request: { method: 'PUT', path: '/formation', body: { updates } },
      },
    ],
    notes,
  };
}

/** A size that there is here; '' for the default one. */
function sizeHere(type: string, size: string, notes: ImportNote[]): string {
  if (size === '') return '';
  const like = ownValue(LIKE_SIZES, size.toLowerCase());
  try {
    return parseDynoSize(like ?? size);
  } catch {
    notes.push(differs(`${type}: there is no size ${size} here; it gets the default`));
    return '';
  } finally {
    if (like !== undefined) notes.push(differs(`${type}: ${like} instead of ${size}, which isn't here`));
  }
}
