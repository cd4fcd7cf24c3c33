/** Dynos that went on while there was no server: whose they are, and which of them belong together. Decisions, without processes. */
import { createHash } from 'node:crypto';
import type { AppId } from '../../../logs/store/contract.ts';
import type { ProcfileEntry } from '../../processes/config/procfile.ts';
import type { AdoptedDyno, DynoNote } from '../../processes/dyno.ts';
import type { KeptProcess } from '../../processes/keeper/messages.ts';
import type { ReleaseRecord } from '../../records/release-record.ts';

/** Whose a kept process is: of an add-on. */
export interface AddonOwner {
  readonly kind: 'addon';
  readonly id: string;
  /** Of the server that has started it. */
  readonly version: string;
}

/** Whose a kept dyno is: of the dynos of a release that were started together. */
export interface DynoOwner {
  readonly kind: 'formation';
  readonly app: AppId;
  readonly version: number;
  /** Of the release, see {@link releaseFingerprint}. */
  readonly fingerprint: string;
  readonly formation: string;
  /** Milliseconds since 1970: of two formations of a release the later one is the newer. */
  readonly since: number;
}

export interface KeptFormation {
  readonly owner: DynoOwner;
  readonly dynos: readonly AdoptedDyno[];
}

interface KeptDynos {
  /** The oldest first. */
  readonly formations: readonly KeptFormation[];
  /** By the add-on's id. */
  readonly addons: ReadonlyMap<string, AdoptedDyno>;
  /** They are being stopped. */
  readonly leaving: readonly AdoptedDyno[];
  /** Nobody knows what they are. */
  readonly unknown: readonly KeptProcess[];
}

/** Every process is in one of the four; those that nobody knows are ended by the caller. */
export function sortKept(processes: readonly KeptProcess[]): KeptDynos {
  const formations = new Map<string, { owner: DynoOwner; dynos: AdoptedDyno[] }>();
  const addons = new Map<string, AdoptedDyno>();
  const leaving: AdoptedDyno[] = [];
  const unknown: KeptProcess[] = [];
  for (const process of processes) {
    const note = process.note as DynoNote | undefined;
    const owner = note?.owner as DynoOwner | AddonOwner | undefined;
    if (note && owner?.kind === 'addon' && note.endsAt === undefined) addons.set(owner.id, { process, note });
    else if (!note || owner?.kind !== 'formation') unknown.push(process);
    else if (note.endsAt !== undefined) leaving.push({ process, note });
    else {
      const formation = formations.get(owner.formation) ?? { owner, dynos: [] };
      formations.set(owner.formation, formation);
      formation.dynos.push({ process, note });
    }
  }
  return {
    // The clock may have been set between two releases; their numbers only grow.
    formations: [...formations.values()].sort(
      (a, b) => a.owner.version - b.owner.version || a.owner.since - b.owner.since,
    ),
    addons,
    leaving,
    unknown,
  };
}

/**
 * Says what dynos run: those of a release with another one have to be replaced. It depends on how this server runs dynos, too.
 * @param runtime as JSON
 */
export function releaseFingerprint(
  { version, slug, config }: Pick<ReleaseRecord, 'version' | 'slug' | 'config'>,
  runtime: unknown,
): string {
  const variables = Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([version, slug, variables, runtime]))
    .digest('hex');
}

/** The processes that dynos run, as far as they tell: for a release that isn't there any more. */
export function entriesOf(dynos: readonly AdoptedDyno[]): ProcfileEntry[] {
  const commands = new Map(dynos.map(({ note }) => [note.info.type, note.info.command]));
  return [...commands].map(([type, command], i) => ({ type, command, line: i + 1 }));
}

/** As many of each type as there are: `web.3` is the third. */
export function countsOf(dynos: readonly AdoptedDyno[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { note } of dynos) {
    const { name, type } = note.info;
    counts[type] = Math.max(counts[type] ?? 0, Number(name.slice(type.length + 1)));
  }
  return counts;
}
