/**
 * What all listeners share: whose a frame's line is gets found out, and the line goes to the gatherer of its app.
 * One intake a connection or request, so that a token that comes line after line is recognised by its bytes.
 */
import type { Limits } from '../router/limits.ts';
import type { Router } from '../router/router.ts';
import { ANY_SOURCE, type Tenant } from '../router/tenants.ts';
import type { AppId } from '../store/contract.ts';
import { RECORD_HEADER } from '../syslog/batch.ts';
import { Header, scanDrainHeader, scanHeader } from '../syslog/header.ts';
import { withHeader } from '../syslog/headerless.ts';
import { fromBsd } from '../syslog/rfc3164.ts';
import { type RecordSink, takeFrames } from '../syslog/wasm/express.ts';
import { speakerOf } from './any-source.ts';
import { type AppCount, countFor } from './app-counts.ts';
import type { SourceCounters } from './counters.ts';
import type { Identity } from './identity.ts';
import { fieldAt } from './relabel.ts';

/** What became of a frame. */
export const Taken = {
  /** It is with its app's gatherer. */
  line: 0,
  /** Nobody knows whose it is: counted, dropped. */
  unknown: 1,
  /** It is no line, as far as can be seen: counted, dropped. */
  malformed: 2,
  /** Its token has to be asked for: await {@link Intake.load}, then take the frame again. */
  ask: 3,
  /** Its token or app has sent more than it may: counted, dropped. */
  limited: 4,
} as const;
export type Taken = (typeof Taken)[keyof typeof Taken];

const ANY_NAME = new Uint8Array(0);

/** Where lines of one app go. */
export interface LineTarget {
  add(bytes: Uint8Array, start: number, end: number, header: Header, tenant: Tenant, host: Uint8Array): void;
  addRecords(records: Uint8Array, count: number): void;
  entrust(): void;
  stored(): Promise<unknown>;
}

export interface IntakeOptions {
  readonly router: Router;
  readonly counters: SourceCounters;
  /** What to write as HOSTNAME when a line has none: the sender's address. */
  readonly host: string;
  /** Whose all the lines are, when the sender authenticated with a token. */
  readonly fixed?: Tenant;
  /** Says whose lines are that don't have their token as APP-NAME. */
  readonly identity?: Identity;
  /** Asked line by line; a request that is taken whole is asked for before, and only charged here. */
  readonly limits?: Limits;
  /** The lines are in the form of Heroku's HTTPS drains: without structured data. */
  readonly drainForm?: boolean;
  /** Where an app's lines go: its gatherer, unless they must stay together. */
  readonly targetFor?: (app: AppId) => LineTarget;
}

export class Intake implements RecordSink {
  private readonly router: Router;
  private readonly counters: SourceCounters;
  private readonly host: Uint8Array;
  private readonly header = new Header();
  private readonly scan: typeof scanHeader;
  readonly fixed: Tenant | undefined;
  private readonly identity: Identity | undefined;
  private readonly limits: Limits | undefined;
  private readonly targetFor: (app: AppId) => LineTarget;
  private readonly usual: boolean;
  private tenant: Tenant | undefined;
  private target: LineTarget | undefined;
  private count: AppCount | undefined;
  private tokensVersion = -1;
  private asked = '';
  /** What got lines since the last {@link entrust} or {@link stored}. */
  private touched: LineTarget[] = [];

  constructor(options: IntakeOptions) {
    const { router, counters, host, fixed, identity, limits, drainForm, targetFor } = options;
    this.router = router;
    this.counters = counters;
    this.host = Buffer.from(host.slice(0, 255));
    this.fixed = fixed;
    this.tenant = fixed;
    this.identity = identity;
    this.limits = limits?.off ? undefined : limits;
    this.scan = drainForm ? scanDrainHeader : scanHeader;
    this.usual = !drainForm;
    this.targetFor = targetFor ?? ((app) => router.gatherer(app));
  }

  /** Takes the frame `bytes[start, end)`. */
  take(bytes: Uint8Array, start: number, end: number): Taken {
    const { header, fixed } = this;
    if (!this.scan(bytes, start, end, header)) return this.takeOther(bytes, start, end);
    if (fixed) {
      if (fixed.source === ANY_SOURCE)
        this.tenant = speakerOf(fixed, fieldAt(bytes, header.sourceStart, end));
      return this.add(bytes, start, end, this.tenant ?? fixed);
    }
    const tokenEnd =
      header.dynoStart === end ? fieldEnd(bytes, header.sourceStart, end) : header.dynoStart - 1;
    const { tenant } = this;
    if (
      tenant &&
      this.tokensVersion === this.router.tokensVersion &&
      isToken(bytes, header.sourceStart, tokenEnd, tenant)
    )
      return this.add(bytes, start, end, tenant);
    return this.takeFrom(bytes, start, end);
  }

  /**
   * Takes usual frames from `bytes[pos, …)` on, as long as they carry the token of the frame before; returns where it
   * stopped. What is there is for {@link take}.
   */
  takeUsual(bytes: Uint8Array, pos: number): number {
    const { tenant, fixed } = this;
    if (!this.usual || !tenant) return pos;
    if (fixed === tenant)
      return fixed.source === ANY_SOURCE ? pos : takeFrames(bytes, pos, ANY_NAME, fixed.sourceBytes, this);
    // No token (a rule says who it is): an empty one would let every line pass.
    if (tenant.tokenBytes.length === 0) return pos;
    if (!fixed && this.tokensVersion !== this.router.tokensVersion) return pos;
    return takeFrames(bytes, pos, tenant.tokenBytes, tenant.sourceBytes, this);
  }

  /** Called by the express lane. */
  addRecords(records: Uint8Array, count: number, lineBytes: number): void {
    const { tenant, limits } = this;
    if (!tenant) return;
    let lines = count;
    if (limits && this.fixed) limits.charge(tenant, count, lineBytes);
    else if (limits) {
      lines = limits.admit(tenant, count, lineBytes);
      this.counters.limited += count - lines;
      if (lines === 0) return;
    }
    if (!this.target) this.use(tenant);
    this.target?.addRecords(lines === count ? records : firstRecords(records, lines), lines);
    this.counted(lines, lines === count ? lineBytes : Math.round((lineBytes * lines) / count));
  }

  /** Asks the store for the token of the frame that got `Taken.ask`. */
  async load(): Promise<void> {
    // Meanwhile others may send the lines taken so far on their way, before anybody asked whether they arrive.
    for (const gatherer of this.touched) gatherer.entrust();
    await this.router.loadTenant(this.asked);
  }

  /** The lines taken so far needn't be waited for. */
  entrust(): void {
    for (const target of this.touched) target.entrust();
    this.settle();
  }

  /** Resolves when the lines taken so far are stored. */
  stored(): Promise<unknown> {
    const { touched } = this;
    this.settle();
    return touched.length === 1 ? touched[0].stored() : Promise.all(touched.map((target) => target.stored()));
  }

  /** Takes a line without an RFC 5424 header: one of the old kind, or, from somebody who is known, any bytes. */
  private takeOther(bytes: Uint8Array, start: number, end: number): Taken {
    const old = fromBsd(bytes, start, end, Date.now());
    if (old && scanHeader(old, 0, old.length, this.header)) {
      if (!this.fixed) return this.takeFrom(old, 0, old.length);
      return this.add(old, 0, old.length, this.fixed);
    }
    this.counters.malformed++;
    const known = end > start ? (this.fixed ?? this.identity?.findBare()) : this.fixed;
    if (!known) return Taken.malformed;
    // Whose line it is may be known all the same: then it is kept, as a message without a header.
    const line = withHeader(bytes.subarray(start, end));
    scanHeader(line, 0, line.length, this.header);
    return this.add(line, 0, line.length, known);
  }

  /** Takes a line whose header has been scanned, from whoever it says that it is from. */
  private takeFrom(bytes: Uint8Array, start: number, end: number): Taken {
    const { header, identity } = this;
    const found = identity
      ? identity.find(bytes, start, end, header)
      : this.findToken(fieldAt(bytes, header.sourceStart, end));
    if (found === 'unknown') {
      this.counters.unknownToken++;
      return Taken.unknown;
    }
    if ('ask' in found) {
      this.asked = found.ask;
      return Taken.ask;
    }
    const { tenant, line } = found;
    if (!line) return this.add(bytes, start, end, speakerOf(tenant, ''));
    scanHeader(line, 0, line.length, header);
    return this.add(line, 0, line.length, tenant);
  }

  private findToken(token: string): { tenant: Tenant; line?: undefined } | { ask: string } | 'unknown' {
    const tenant = this.router.findTenant(token);
    if (tenant === undefined) return { ask: token };
    return tenant ? { tenant } : 'unknown';
  }

  private add(bytes: Uint8Array, start: number, end: number, tenant: Tenant): Taken {
    const { limits } = this;
    if (limits && this.fixed) limits.charge(tenant, 1, end - start);
    else if (limits && limits.admit(tenant, 1, end - start) === 0) {
      this.counters.limited++;
      return Taken.limited;
    }
    if (!this.target || tenant !== this.tenant) this.use(tenant);
    this.target?.add(bytes, start, end, this.header, tenant, this.host);
    this.counted(1, end - start);
    return Taken.line;
  }

  private counted(lines: number, bytes: number): void {
    this.counters.lines += lines;
    this.counters.bytes += bytes;
    if (!this.count) return;
    this.count.lines += lines;
    this.count.bytes += bytes;
  }

  private settle(): void {
    this.touched = [];
    this.target = undefined; // it may be given up before the next line comes
  }

  private use(tenant: Tenant): void {
    this.tenant = tenant;
    this.tokensVersion = this.router.tokensVersion;
    this.target = this.targetFor(tenant.app);
    this.count = countFor(this.counters, tenant.app);
    if (!this.touched.includes(this.target)) this.touched.push(this.target);
  }
}

function firstRecords(records: Uint8Array, count: number): Uint8Array {
  let end = 0;
  for (let left = count; left > 0; left--)
    end += RECORD_HEADER + (records[end] | (records[end + 1] << 8) | (records[end + 2] << 16));
  return records.subarray(0, end);
}

function isToken(bytes: Uint8Array, start: number, end: number, { tokenBytes }: Tenant): boolean {
  const length = tokenBytes.length;
  if (length === 0 || end - start !== length) return false;
  for (let i = length - 1; i >= 0; i--) if (bytes[start + i] !== tokenBytes[i]) return false;
  return true;
}

function fieldEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && bytes[i] !== 0x20) i++;
  return i;
}
