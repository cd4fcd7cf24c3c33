import { Throttle } from '../../common/throttle.ts';
import type { ListenerCounters } from './listener-counters.ts';

/** How often a listener warns of rejected lines. */
const WARN_INTERVAL_MS = 60_000;
type RejectionKind = 'malformed' | 'unknownToken' | 'lost';
const EXPLANATION: Record<RejectionKind, string> = {
  malformed:
    'lines were malformed: expected syslog, `<PRI>1 TIME HOST TOKEN DYNO MSGID SD MESSAGE` or `<PRI>TIME HOST TOKEN: MESSAGE`',
  unknownToken:
    'lines had an unknown token, or none and no rule for their sender: see `tailrace tokens:add` and `tailrace sources:add`',
  lost: 'lines were turned away because too much waited to be stored',
};

/** Of HTTP: the sender of each knows why. */
const MALFORMED_BODIES = 'requests were malformed: each got a response that says why';

/** Warns of lines that a listener rejected: at once the first time, then once a minute. */
export class RejectionWarnings {
  private readonly counters: ListenerCounters;
  private readonly warn: (fields: object, message: string) => void;
  private readonly reported: Record<RejectionKind, number> = { malformed: 0, unknownToken: 0, lost: 0 };
  private readonly warnings = new Throttle(WARN_INTERVAL_MS);

  constructor(counters: ListenerCounters, warn: (fields: object, message: string) => void) {
    this.counters = counters;
    this.warn = warn;
  }

  /** Compares the counters: cheap enough for every chunk. */
  check(): void {
    const { counters, reported } = this;
    if (
      counters.malformed === reported.malformed &&
      counters.unknownToken === reported.unknownToken &&
      counters.lost === reported.lost
    )
      return;
    if (!this.warnings.allow()) return;
    for (const kind of ['malformed', 'unknownToken', 'lost'] as const) {
      const count = counters[kind] - reported[kind];
      reported[kind] = counters[kind];
      if (count > 0) this.warn({ protocol: counters.protocol, count }, `${count} ${this.explain(kind)}`);
    }
  }

  private explain(kind: RejectionKind): string {
    const { protocol } = this.counters;
    return kind === 'malformed' && (protocol === 'http' || protocol === 'otlp')
      ? MALFORMED_BODIES
      : EXPLANATION[kind];
  }
}
