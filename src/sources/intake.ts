/**
 * What all listeners share: a frame's token is looked up, and its line goes to the gatherer of the token's app.
 * One intake a connection or request, so that a token that comes line after line is recognised by its bytes.
 */
import type { Router } from '../router/router.ts';
import type { Tenant } from '../router/tenants.ts';
import type { AppId } from '../store/contract.ts';
import { type RecordSink, takeFrames } from '../syslog/express.ts';
import { Header, scanHeader } from '../syslog/header.ts';
import type { SourceCounters } from './counters.ts';
import { withHeader } from './headerless.ts';

/** What became of a frame. */
export const Taken = {
  /** It is with its app's gatherer. */
  line: 0,
  /** Its token is unknown: counted, dropped. */
  unknown: 1,
  /** It has no header that says whose it is: counted, dropped. */
  malformed: 2,
  /** Its token has to be asked for: await {@link Intake.load}, then take the frame again. */
  ask: 3,
} as const;
export type Taken = (typeof Taken)[keyof typeof Taken];

const ANY_NAME = new Uint8Array(0);

/** Where lines of one app go. */
export interface LineTarget {
  add(bytes: Uint8Array, start: number, end: number, header: Header, tenant: Tenant, host: Uint8Array): void;
  addRecords(records: Uint8Array, count: number): void;
  entrust(): void;
  stored(): Promise<void>;
}

export class Intake implements RecordSink {
  private readonly router: Router;
  private readonly counters: SourceCounters;
  private readonly host: Uint8Array;
  private readonly header = new Header();
  /** Whose the lines are whatever their APP-NAME says, when the sender authenticated with a token. */
  private readonly fixed: Tenant | undefined;
  private tenant: Tenant | undefined;
  private target: LineTarget | undefined;
  private tokensVersion = -1;
  private asked = '';
  private readonly targetFor: (app: AppId) => LineTarget;
  /** What got lines since the last {@link entrust} or {@link stored}. */
  private touched: LineTarget[] = [];

  /**
   * @param host what to write as HOSTNAME when a line has none: the sender's address.
   * @param fixed whose all the lines are, when the sender authenticated with a token.
   * @param targetFor where an app's lines go: its gatherer, unless they must stay together.
   */
  constructor(
    router: Router,
    counters: SourceCounters,
    host: string,
    fixed?: Tenant,
    targetFor: (app: AppId) => LineTarget = (app) => router.gatherer(app),
  ) {
    this.router = router;
    this.targetFor = targetFor;
    this.counters = counters;
    this.host = Buffer.from(host.slice(0, 255));
    this.fixed = fixed;
    this.tenant = fixed;
  }

  /** Takes the frame `bytes[start, end)`. */
  take(bytes: Uint8Array, start: number, end: number): Taken {
    const { header, counters } = this;
    if (!scanHeader(bytes, start, end, header)) {
      // Whose line it is may be known all the same: then it is kept, as a message without a header.
      if (this.fixed) return this.takeHeaderless(bytes, start, end, this.fixed);
      counters.malformed++;
      return Taken.malformed;
    }
    if (!this.fixed) {
      const tokenEnd =
        header.dynoStart === end ? fieldEnd(bytes, header.sourceStart, end) : header.dynoStart - 1;
      if (this.tokensVersion !== this.router.tokensVersion) this.tenant = undefined;
      if (!this.tenant || !isToken(bytes, header.sourceStart, tokenEnd, this.tenant)) {
        const found = this.find(bytes, header.sourceStart, tokenEnd);
        if (found !== Taken.line) return found;
      }
    }
    const { tenant } = this;
    if (!tenant) return Taken.unknown;
    if (!this.target) this.use(tenant);
    this.target?.add(bytes, start, end, header, tenant, this.host);
    counters.lines++;
    counters.bytes += end - start;
    return Taken.line;
  }

  /**
   * Takes usual frames from `bytes[pos, …)` on, as long as they carry the token of the frame before; returns where it
   * stopped. What is there is for {@link take}.
   */
  takeUsual(bytes: Uint8Array, pos: number): number {
    const { tenant } = this;
    if (this.fixed) return takeFrames(bytes, pos, ANY_NAME, this.fixed.sourceBytes, this);
    if (!tenant || this.tokensVersion !== this.router.tokensVersion) return pos;
    return takeFrames(bytes, pos, tenant.tokenBytes, tenant.sourceBytes, this);
  }

  /** Called by the express lane. */
  addRecords(records: Uint8Array, count: number, lineBytes: number): void {
    if (!this.target && this.tenant) this.use(this.tenant);
    this.target?.addRecords(records, count);
    this.counters.lines += count;
    this.counters.bytes += lineBytes;
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
  async stored(): Promise<void> {
    const waiting = this.touched.map((target) => target.stored());
    this.settle();
    if (waiting.length === 1) return waiting[0];
    await Promise.all(waiting);
  }

  private takeHeaderless(bytes: Uint8Array, start: number, end: number, tenant: Tenant): Taken {
    const frame = withHeader(bytes.subarray(start, end));
    scanHeader(frame, 0, frame.length, this.header);
    if (!this.target) this.use(tenant);
    this.target?.add(frame, 0, frame.length, this.header, tenant, this.host);
    this.counters.malformed++;
    return Taken.line;
  }

  private settle(): void {
    this.touched = [];
    this.target = undefined; // it may be given up before the next line comes
  }

  private find(bytes: Uint8Array, start: number, end: number): Taken {
    const token = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
    const tenant = this.router.findTenant(token);
    if (tenant === undefined) {
      this.asked = token;
      return Taken.ask;
    }
    if (tenant === null) {
      this.counters.unknownToken++;
      return Taken.unknown;
    }
    this.use(tenant);
    return Taken.line;
  }

  private use(tenant: Tenant): void {
    this.tenant = tenant;
    this.tokensVersion = this.router.tokensVersion;
    this.target = this.targetFor(tenant.app);
    if (!this.touched.includes(this.target)) this.touched.push(this.target);
  }
}

function isToken(bytes: Uint8Array, start: number, end: number, tenant: Tenant): boolean {
  const { tokenBytes } = tenant;
  const length = tokenBytes.length;
  if (end - start !== length) return false;
  for (let i = length - 1; i >= 0; i--) if (bytes[start + i] !== tokenBytes[i]) return false;
  return true;
}

function fieldEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && bytes[i] !== 0x20) i++;
  return i;
}
