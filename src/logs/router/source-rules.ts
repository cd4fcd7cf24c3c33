/**
 * Rules identify senders that can't show a token: by the port they send to, their network, their certificate, or the tag or
 * hostname of their lines. They are records in the store, known to every router.
 */
import ipaddr from 'ipaddr.js';
import { TailraceError } from '../../common/errors.ts';
import { type AppId, mayHaveChanged, type Store } from '../store/contract.ts';
import { LineRules } from './line-rules.ts';
import type { LogSource } from './token-cache.ts';

/** What a rule asks for: a line has to meet all conditions that are given. */
export interface RuleConditions {
  /** The port that the sender sends to: the server listens on it (TCP and UDP). */
  readonly port?: number;
  /** `10.0.0.0/8`, `fd00::/8`, or one address. */
  readonly network?: string;
  /** APP-NAME, or the TAG of RFC 3164. */
  readonly tag?: string;
  readonly hostname?: string;
  /** Of the client's certificate: `CN=web-1`, the name alone, or its SHA-256 fingerprint. */
  readonly certificate?: string;
}

/** A rule's record, under `rule/<id>` in the scope of no app. */
export interface RuleRecord extends RuleConditions {
  readonly id: string;
  readonly app: AppId;
  readonly source: string;
  /** A later rule has a higher one; left out in those of earlier versions. */
  readonly number?: number;
  readonly createdAt: string;
}

/** What is known of a sender before its first line. */
export interface SenderInfo {
  readonly address: string;
  /** The port that it sends to. */
  readonly port: number;
  readonly certificate?: ClientCertificate;
}

/** A client's certificate that was verified against TAILRACE_SYSLOG_TLS_CLIENT_CA. */
export interface ClientCertificate {
  readonly commonName: string;
  /** `CN=web-1`, `O=example`: one entry an attribute. */
  readonly subject: readonly string[];
  /** Hexadecimal digits, lower case. */
  readonly fingerprint: string;
}

/** Rules that ask the same of their senders. */
interface SenderRules {
  readonly conditions: RuleConditions;
  readonly network: NetworkRange | undefined;
  readonly lines: LineRules;
}

type NetworkRange = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Of the keys of rules, in the scope of no app. */
export const RULE_PREFIX = 'rule/';

/** Key of a rule's record. */
export function ruleKey(id: string): string {
  return RULE_PREFIX + id;
}

/** All rules, in memory: {@link SourceRules.load} comes first. While the store is away, they stay as they were. */
export class SourceRules {
  private readonly store: Store;
  private records: readonly RuleRecord[] = [];
  /** The same, as senders are compared with them: each has a part of these, and no copy. */
  private bySender: readonly SenderRules[] = [];
  private readonly listeners = new Set<() => void>();
  private loading: Promise<void> = Promise.resolve();
  /** Grows when rules were made or removed: whoever caches candidates asks again. */
  version = 0;

  constructor(store: Store) {
    this.store = store;
    store.watchRecords((scope, keys) => {
      if (scope === '' && mayHaveChanged(keys, RULE_PREFIX)) void this.load().catch(() => {}); // the store is unavailable: the rules stay as they were
    });
  }

  /** Reads the rules from the store; they are read again whenever they may have changed. */
  load(): Promise<void> {
    this.loading = this.loading.catch(() => {}).then(() => this.read());
    return this.loading;
  }

  /** Calls `changed` after rules were made or removed. */
  onChange(changed: () => void): void {
    this.listeners.add(changed);
  }

  /** Rules that name a port, which has to be listened on. */
  rulesWithPort(): (RuleRecord & { readonly port: number })[] {
    return this.records.flatMap((rule) => (rule.port === undefined ? [] : { ...rule, port: rule.port }));
  }

  /** The rules that may apply to a sender's lines: of several that do, the one with most conditions counts, of these the oldest. */
  candidatesFor(sender: SenderInfo): readonly LineRules[] {
    const address = ipaddr.isValid(sender.address) ? ipaddr.process(sender.address) : undefined;
    return this.bySender.filter((rules) => matchesSender(rules, sender, address)).map(({ lines }) => lines);
  }

  private async read(): Promise<void> {
    const records = (await this.store.list<RuleRecord>('', RULE_PREFIX)).map(({ value }) => value);
    records.sort(
      (a, b) =>
        conditionCount(b) - conditionCount(a) ||
        (a.number ?? 0) - (b.number ?? 0) ||
        (a.createdAt < b.createdAt ? -1 : 1),
    );
    if (JSON.stringify(records) === JSON.stringify(this.records)) return;
    this.records = records;
    this.bySender = groupBySender(records);
    this.version++;
    for (const changed of this.listeners) changed();
  }
}

/**
 * Refuses conditions that can't be met.
 * @throws TailraceError `invalid_params`, with what would be right.
 */
export function validateRuleConditions(conditions: RuleConditions): void {
  const { port, network, tag, hostname } = conditions;
  if (conditionCount(conditions) === 0)
    throw new TailraceError(
      'invalid_params',
      'A rule needs a condition: --port, --network, --tag, --hostname or --certificate.',
    );
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536))
    throw new TailraceError('invalid_params', `The port ${port} must be a number from 1 to 65535.`);
  if (network !== undefined && !parseNetwork(network))
    throw new TailraceError(
      'invalid_params',
      `"${network}" is no network: write it as 10.0.0.0/8, fd00::/8, or one address.`,
    );
  for (const word of [tag, hostname])
    if (word !== undefined && !/^[\x21-\x7e]{1,255}$/.test(word))
      throw new TailraceError('invalid_params', `"${word}" can't stand in a line: use one word of ASCII.`);
}

/** `::ffff:10.0.0.1`, as sockets that speak both call IPv4 clients, is `10.0.0.1`. */
export function normalizeAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

function conditionCount({ port, network, tag, hostname, certificate }: RuleConditions): number {
  return [port, network, tag, hostname, certificate].filter((given) => given !== undefined).length;
}

/** @param records the one that counts first before others */
function groupBySender(records: readonly RuleRecord[]): SenderRules[] {
  const groups = new Map<string, SenderRules>();
  let rank = 0;
  for (const { port, network, certificate, tag, hostname, app, source } of records) {
    const key = JSON.stringify([port, network, certificate]);
    let group = groups.get(key);
    if (!group) {
      const conditions = { port, network, certificate };
      group = {
        conditions,
        network: network === undefined ? undefined : parseNetwork(network),
        lines: new LineRules(),
      };
      groups.set(key, group);
    }
    group.lines.add({ tag, hostname, logSource: logSourceOf(app, source) }, rank++);
  }
  return [...groups.values()];
}

function matchesSender(
  { conditions, network }: SenderRules,
  { port, certificate }: SenderInfo,
  address: ipaddr.IPv4 | ipaddr.IPv6 | undefined,
): boolean {
  if (conditions.port !== undefined && conditions.port !== port) return false;
  if (conditions.network !== undefined && !(network && address && networkContains(network, address)))
    return false;
  return (
    conditions.certificate === undefined ||
    (certificate !== undefined && matchesCertificate(conditions.certificate, certificate))
  );
}

function matchesCertificate(
  wanted: string,
  { commonName, subject, fingerprint }: ClientCertificate,
): boolean {
  if (wanted === commonName || subject.includes(wanted)) return true;
  return (
    wanted
      .replace(/^SHA256:/i, '')
      .replaceAll(':', '')
      .toLowerCase() === fingerprint
  );
}

function networkContains(range: NetworkRange, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return address.kind() === range[0].kind() && address.match([...range]);
}

function parseNetwork(text: string): NetworkRange | undefined {
  if (ipaddr.isValidCIDR(text)) {
    const [network, bits] = ipaddr.parseCIDR(text);
    // IPv4 within IPv6, as addresses of senders are read.
    return network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && bits >= 96
      ? [network.toIPv4Address(), bits - 96]
      : [network, bits];
  }
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function logSourceOf(app: AppId, source: string): LogSource {
  const sourceBytes = Buffer.from(source);
  return { token: '', tokenBytes: new Uint8Array(0), app, source, sourceBytes, route: undefined };
}
