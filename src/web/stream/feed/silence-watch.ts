/**
 * Notices that a connection is dead which nobody has closed: a laptop has slept, a network has changed, a proxy has forgotten it. The browser doesn't notice, and
 * doesn't show pings to a page; so the server sends a message every 20 seconds at least.
 */

const SILENCE_MS = 50_000;
/** The first message comes as soon as a tail is open; of two hundred that are opened together, browsers make one after the other. */
const FIRST_MESSAGE_MS = 20_000;
const CHECK_MS = 5_000;
/** The wall clock has moved on by so much more than the other one: the machine has slept, or the clock was set. */
const SLEPT_MS = 10_000;
/** After a pause of the page, timers run before what has arrived meanwhile. */
const GRACE_MS = 2_000;

export class SilenceWatch {
  private heardAt = performance.now();
  private silenceMs = FIRST_MESSAGE_MS;
  private bootedAt = Date.now() - performance.now();
  private readonly checkTimer: number;
  private graceTimer: number | undefined;
  private readonly onSilence: () => void;
  private readonly onOnline = (): void => this.doubt();

  /** @param onSilence is called once, unless {@link stop} was */
  constructor(onSilence: () => void) {
    this.onSilence = onSilence;
    this.checkTimer = setInterval(() => this.check(), CHECK_MS);
    // What was connected over another network is dead.
    addEventListener('online', this.onOnline);
  }

  /** Something has come. */
  heard(): void {
    this.heardAt = performance.now();
    this.silenceMs = SILENCE_MS;
    clearTimeout(this.graceTimer);
    this.graceTimer = undefined;
  }

  stop(): void {
    clearInterval(this.checkTimer);
    clearTimeout(this.graceTimer);
    removeEventListener('online', this.onOnline);
  }

  private check(): void {
    const bootedAt = Date.now() - performance.now();
    const hasSlept = bootedAt - this.bootedAt > SLEPT_MS;
    this.bootedAt = bootedAt;
    if (hasSlept || performance.now() - this.heardAt > this.silenceMs) this.doubt();
  }

  private doubt(): void {
    this.graceTimer ??= setTimeout(() => {
      this.stop();
      this.onSilence();
    }, GRACE_MS);
  }
}
