import { Dialer, type OnPhase } from './dialer.ts';
import { type DrainRecord, parseDrainUrl } from './drain.ts';
import { HttpOutlet } from './http-outlet.ts';
import { logplexProtocol } from './logplex-protocol.ts';
import type { Outlet } from './outlet.ts';
import { SyslogOutlet } from './syslog-outlet.ts';
import type { TargetPolicy } from './target-policy.ts';

/** Makes the outlet that fits a drain's URL and options. */
export class Outlets {
  private readonly dialer: Dialer;
  private readonly version: string;

  constructor(policy: TargetPolicy, version: string) {
    this.dialer = new Dialer(policy);
    this.version = version;
  }

  /** @param onPhase is told how long each phase of a connection takes. */
  make(drain: DrainRecord, onPhase?: OnPhase): Outlet {
    const { dialer, version } = this;
    const target = parseDrainUrl(drain.url);
    const tls = { insecure: target.insecure };
    if (target.protocol === 'syslog:' || target.protocol === 'syslog+tls:')
      return new SyslogOutlet({ drain, target, tls, dialer, onPhase });
    return new HttpOutlet({ drain, target, tls, dialer, version, onPhase, protocol: logplexProtocol() });
  }
}
