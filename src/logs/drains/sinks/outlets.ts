import { elasticsearchProtocol } from '../encoders/elasticsearch-protocol.ts';
import { logplexProtocol } from '../encoders/logplex-protocol.ts';
import { lokiProtocol } from '../encoders/loki-protocol.ts';
import { otlpProtocol } from '../encoders/otlp-protocol.ts';
import { type Encode, jsonLines, strictLines } from '../encoders/text-lines.ts';
import { jsonLinesProtocol, strictProtocol, webhookProtocol } from '../encoders/text-protocols.ts';
import { type DrainRecord, type DrainTarget, parseDrainUrl } from '../options/drain.ts';
import { type DrainOptions, withoutOptions } from '../options/drain-options.ts';
import type { TargetPolicy } from '../options/target-policy.ts';
import type { Outlet } from '../outlet.ts';
import type { HttpProtocol } from '../protocol.ts';
import { Dialer, type OnPhase } from './dialer.ts';
import { HttpOutlet } from './http-outlet.ts';
import { Knocking } from './knocking.ts';
import { SyslogOutlet } from './syslog-outlet.ts';

/** Makes the outlet that fits a drain's URL and options. */
export class Outlets {
  private readonly dialer: Dialer;
  private readonly version: string;
  private readonly knocking: Knocking;

  constructor(policy: TargetPolicy, version: string) {
    this.dialer = new Dialer(policy);
    this.version = version;
    this.knocking = new Knocking(this.dialer);
  }

  /** Calls `open` when somebody listens at the destination, unless the returned function was called before. */
  whenOpen(drain: DrainRecord, open: () => void): () => void {
    return this.knocking.wait(parseDrainUrl(drain.url), open);
  }

  /** @param onPhase is told how long each phase of a connection takes. */
  make(drain: DrainRecord, onPhase?: OnPhase): Outlet {
    const { dialer, version } = this;
    const { options = {} } = drain;
    const target = used(parseDrainUrl(drain.url));
    const tls = {
      insecure: target.insecure || options.insecure,
      ca: options.ca,
      cert: options.cert,
      key: options.key,
      serverName: options.server_name,
    };
    if (target.protocol === 'syslog:' || target.protocol === 'syslog+tls:')
      return new SyslogOutlet({ drain, target, tls, dialer, onPhase, encode: encodeFor(drain, options) });
    return new HttpOutlet({
      drain,
      target,
      tls,
      dialer,
      version,
      onPhase,
      protocol: this.protocol(drain, options),
    });
  }

  private protocol(drain: DrainRecord, options: DrainOptions): HttpProtocol {
    const app = drain.appName ?? drain.app;
    switch (options.format) {
      case 'rfc5424':
        return strictProtocol();
      case 'json':
        return jsonLinesProtocol(app);
      case 'webhook':
        return webhookProtocol(app);
      case 'otlp':
        return otlpProtocol(app, this.version, 'json');
      case 'otlp-protobuf':
        return otlpProtocol(app, this.version, 'protobuf');
      case 'loki':
        return lokiProtocol(app);
      case 'elasticsearch':
        return elasticsearchProtocol(drain.token + (drain.replay?.id ?? ''), app, options.index);
      default:
        return logplexProtocol();
    }
  }
}

/** How a syslog drain's lines are written, when not as Heroku does. */
function encodeFor(drain: DrainRecord, { format, framing }: DrainOptions): Encode | undefined {
  if (format === 'json') return jsonLines(drain.appName ?? drain.app, framing);
  if (format === 'rfc5424') return strictLines(framing ?? 'octet');
  return framing === 'newline' ? strictLines('newline', drain.token) : undefined;
}

function used(target: DrainTarget): DrainTarget {
  return { ...target, url: withoutOptions(target.url) };
}
