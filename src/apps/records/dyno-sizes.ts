/** Sizes of dynos: how much memory one may use. All share the whole processor. */
import { TailraceError } from '../../common/errors.ts';
import type { AppId, Store } from '../../logs/store/contract.ts';

/** Heroku's names and megabytes. */
export const DYNO_SIZES = [
  { name: 'Basic', memoryMb: 512 },
  { name: 'Eco', memoryMb: 512 },
  { name: 'Standard-1X', memoryMb: 512 },
  { name: 'Standard-2X', memoryMb: 1_024 },
  { name: 'Performance-M', memoryMb: 2_560 },
  { name: 'Performance-L', memoryMb: 14_336 },
] as const;

/** The size of a process type that has no record. */
export const DEFAULT_DYNO_SIZE = 'Basic';

/** Sizes by process type, under this key in an app's scope. */
export const DYNO_SIZES_KEY = 'sizes';
export type DynoSizesRecord = Readonly<Record<string, string>>;

/** The sizes that were chosen for an app's process types; of others it is the default. */
export async function loadDynoSizes(store: Store, app: AppId): Promise<DynoSizesRecord> {
  return (await store.get<DynoSizesRecord>(app, DYNO_SIZES_KEY))?.value ?? {};
}

/** The size of this name, in capitals or not. */
export function findDynoSize(typed: string): (typeof DYNO_SIZES)[number] | undefined {
  return DYNO_SIZES.find(({ name }) => name.toLowerCase() === typed.toLowerCase());
}

/** The name of a size as Heroku writes it. @throws TailraceError `invalid_params` */
export function parseDynoSize(typed: string): string {
  const found = findDynoSize(typed);
  if (found) return found.name;
  const names = DYNO_SIZES.map(({ name }) => name).join(', ');
  throw new TailraceError('invalid_params', `No such size as ${typed}. Available sizes are ${names}.`);
}

/** How many times the memory of a dyno of the default size one of this size may use. */
export function memoryMultiplier(size: string = DEFAULT_DYNO_SIZE): number {
  return (DYNO_SIZES.find(({ name }) => name === size)?.memoryMb ?? 512) / 512;
}
