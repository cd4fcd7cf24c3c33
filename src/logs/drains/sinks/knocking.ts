/**
 * Looks whether a destination that refused connections is there again. Pauses between attempts grow to half a minute, since an attempt reads
 * lines and may be answered; to ask whether anybody listens costs one packet, so that is done every second, once for all drains
 * of a destination.
 */
import { systemCode } from '../../../common/errors.ts';
import type { DrainTarget } from '../options/drain.ts';
import { OutletError } from '../outlet.ts';
import type { Dialer } from './dialer.ts';

const EVERY_MS = 700;
/** Destinations that are knocked at in a second, at the most, however many are gone. */
const KNOCKS_A_SECOND = 200;

/** Did nobody listen at the destination? Anything else may be worse when it is asked again and again. */
export function nobodyListens(error: unknown): boolean {
  return error instanceof OutletError && ['ECONNREFUSED', 'EHOSTUNREACH'].includes(systemCode(error.cause));
}

interface Door {
  readonly host: string;
  readonly port: number;
  readonly waiting: Set<() => void>;
}

export class Knocking {
  private readonly dialer: Dialer;
  private readonly doors = new Map<string, Door>();

  constructor(dialer: Dialer) {
    this.dialer = dialer;
  }

  /** Calls `open` when somebody listens there, unless the returned function was called before. */
  wait({ host, port }: Pick<DrainTarget, 'host' | 'port'>, open: () => void): () => void {
    const key = `${host} ${port}`;
    let door = this.doors.get(key);
    if (!door) {
      door = { host, port, waiting: new Set() };
      this.doors.set(key, door);
      void this.knock(key, door);
    }
    const { waiting } = door;
    waiting.add(open);
    return () => void waiting.delete(open);
  }

  private async knock(key: string, door: Door): Promise<void> {
    for (;;) {
      const pauseMs = Math.max(EVERY_MS, (this.doors.size / KNOCKS_A_SECOND) * 1_000);
      await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
      if (door.waiting.size === 0) break;
      const isOpen = await this.dialer.dial(door).then(
        (socket) => socket.destroy() !== undefined,
        () => false,
      );
      if (isOpen) break;
    }
    this.doors.delete(key);
    for (const open of door.waiting) open();
  }
}
