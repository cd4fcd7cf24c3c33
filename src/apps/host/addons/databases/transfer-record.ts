/** Backups and restores of databases, as they are kept and named: Heroku's word for both is transfer. */

export interface TransferLine {
  readonly created_at: string;
  readonly message: string;
}

export interface TransferRecord {
  readonly uuid: string;
  /** Counted in its app, never twice: `b001` and `r002` are the first two. */
  readonly num: number;
  readonly kind: 'backup' | 'restore';
  /** Made by a schedule: `a001`. */
  readonly isScheduled: boolean;
  readonly addon: string;
  /** At that time. */
  readonly addonName: string;
  /** Of a restore: where its data came from. */
  readonly source: string;
  readonly createdAt: string;
  readonly finishedAt?: string;
  readonly canceledAt?: string;
  readonly deletedAt?: string;
  readonly succeeded: boolean;
  readonly warnings: number;
  readonly sourceBytes: number;
  readonly processedBytes: number;
  readonly lines: readonly TransferLine[];
}

/** What Heroku's CLI calls it. */
export function transferName({ kind, isScheduled, num }: TransferRecord): string {
  const letter = kind === 'restore' ? 'r' : isScheduled ? 'a' : 'b';
  return `${letter}${String(num).padStart(3, '0')}`;
}

/** Can it be restored and downloaded? */
export function isUsableBackup({ kind, succeeded, deletedAt }: TransferRecord): boolean {
  return kind === 'backup' && succeeded && deletedAt === undefined;
}

/** The transfer that is meant: by its number, name (`b001`) or id. */
export function findTransfer(
  transfers: readonly TransferRecord[],
  which: string,
): TransferRecord | undefined {
  const name = /^[abr](\d+)$/.exec(which)?.[1] ?? which;
  return transfers.find(({ uuid, num }) => uuid === which || (/^\d+$/.test(name) && num === Number(name)));
}
