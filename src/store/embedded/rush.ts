/** Looked at over this time. */
const WINDOW_MS = 100;
/** More than this in a window is a rush: 40 MB a second, some 300,000 lines. */
const RUSH_BYTES = 4_194_304;

/**
 * Tells when so much comes in that a transaction is full anyway: then batches go straight to LMDB, since writing them twice would
 * cost more than waiting for it.
 */
export class Rush {
  private windowStartMs = 0;
  private bytes = 0;
  private rushing = false;

  /** Counts a batch; true while there is a rush. */
  add(bytes: number, nowMs: number): boolean {
    if (nowMs - this.windowStartMs >= WINDOW_MS) {
      this.rushing = this.bytes > RUSH_BYTES && nowMs - this.windowStartMs < 2 * WINDOW_MS;
      this.windowStartMs = nowMs;
      this.bytes = 0;
    }
    this.bytes += bytes;
    return this.rushing || this.bytes > RUSH_BYTES;
  }
}
