import { BufferPool } from '../../../common/buffers/buffer-pool.ts';
import { codecMemory } from '../../syslog/wasm/wasm-codec.ts';
import { elasticsearchFormat } from '../encoders/elasticsearch.ts';
import { jsonLinesEncoder, rfc5424Encoder, type ShipmentEncoder } from '../encoders/encode-text.ts';
import { gzipFormat } from '../encoders/gzip-format.ts';
import { logplexFormat } from '../encoders/logplex.ts';
import { lokiFormat } from '../encoders/loki.ts';
import { otlpFormat } from '../encoders/otlp.ts';
import { jsonLinesFormat, rfc5424Format, webhookFormat } from '../encoders/text-formats.ts';
import { linesMemory } from '../encoders/wasm/wasm-lines.ts';
import type { HttpFormat } from '../http-format.ts';
import { type DrainOptions, stripOptionParameters } from '../options/drain-options.ts';
import { type DrainRecord, type DrainTarget, frameIdSeed, parseDrainUrl } from '../options/drain-record.ts';
import { TargetPolicy } from '../options/target-policy.ts';
import type { Outlet } from '../outlet.ts';
import { Dialer, type OnPhase } from './dialer.ts';
import { HttpOutlet } from './http-outlet.ts';
import { ReachabilityProbe } from './reachability.ts';
import { SendQueues } from './send-queues.ts';
import { SyslogOutlet, type SyslogOutletOptions } from './syslog-outlet.ts';

/** A destination with little or no traffic keeps no memory, and all of them together what a few shipments need. */
const SHIPMENT_BUFFERS = { buffersMax: 8, pooledBytesMin: 65_536, stepBytes: 131_072 };

/** Creates the outlet for a drain's URL and options, and wraps its format. */
export class OutletFactory {
  private readonly version: string;
  private readonly dialer: Dialer;
  private readonly pool = new BufferPool(SHIPMENT_BUFFERS);
  private readonly reachability: ReachabilityProbe;
  private readonly sendQueues = new SendQueues();
  /** For this server's own add-ons. */
  private readonly ownDialer = new Dialer(new TargetPolicy(true));
  private readonly ownReachability = new ReachabilityProbe(this.ownDialer);

  constructor(policy: TargetPolicy, version: string) {
    this.version = version;
    this.dialer = new Dialer(policy);
    this.reachability = new ReachabilityProbe(this.dialer);
  }

  /** Calls `listener` when the destination accepts connections, unless the returned function was called before. */
  onReachable(drain: DrainRecord, listener: () => void): () => void {
    const reachability = drain.server === undefined ? this.reachability : this.ownReachability;
    return reachability.onReachable(parseDrainUrl(drain.url), listener);
  }

  /** @param onPhase called after each phase of a delivery. */
  create(drain: DrainRecord, onPhase?: OnPhase): Outlet {
    const { version, pool, sendQueues } = this;
    const dialer = drain.server === undefined ? this.dialer : this.ownDialer;
    const { options = {} } = drain;
    const target = targetWithoutOptions(parseDrainUrl(drain.url));
    const tls = {
      insecure: target.insecure || options.insecure,
      ca: options.ca,
      cert: options.cert,
      key: options.key,
      serverName: options.server_name,
    };
    if (target.protocol === 'syslog:' || target.protocol === 'syslog+tls:')
      return new SyslogOutlet({
        drain,
        target,
        tls,
        dialer,
        pool,
        sendQueues,
        onPhase,
        ...syslogEncoder(drain, options),
      });
    const format = this.createFormat(drain, options);
    return new HttpOutlet({
      drain,
      target,
      tls,
      dialer,
      version,
      pool,
      onPhase,
      format: options.compression === 'gzip' ? gzipFormat(format) : format,
    });
  }

  private createFormat(drain: DrainRecord, options: DrainOptions): HttpFormat {
    const app = drain.appName ?? drain.app;
    switch (options.format) {
      case 'rfc5424':
        return rfc5424Format(options.multiline);
      case 'json':
        return jsonLinesFormat(app);
      case 'webhook':
        return webhookFormat(app);
      case 'otlp':
        return otlpFormat(app, this.version, 'json');
      case 'otlp-protobuf':
        return otlpFormat(app, this.version, 'protobuf');
      case 'loki':
        return lokiFormat(app);
      case 'elasticsearch':
        return elasticsearchFormat((last) => frameIdSeed(drain, last), app, options.index);
      default:
        return logplexFormat(options.multiline);
    }
  }
}

/** The encoder of a syslog drain, if it isn't Heroku's own form, and its memory. */
function syslogEncoder(
  drain: DrainRecord,
  { format, framing }: DrainOptions,
): Pick<SyslogOutletOptions, 'encode' | 'memory'> {
  let encode: ShipmentEncoder | undefined;
  if (format === 'json') encode = jsonLinesEncoder(drain.appName ?? drain.app, framing);
  else if (format === 'rfc5424') encode = rfc5424Encoder(framing ?? 'octet');
  else if (framing === 'newline') encode = rfc5424Encoder('newline', drain.token);
  return encode ? { encode, memory: linesMemory } : { memory: () => codecMemory };
}

function targetWithoutOptions(target: DrainTarget): DrainTarget {
  return { ...target, url: stripOptionParameters(target.url) };
}
