/** Rules are made and removed here; what they decide is in `source-rules.ts`. */
import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../common/errors.ts';
import type { AppId, Store } from '../store/contract.ts';
import {
  RULE_PREFIX,
  type RuleConditions,
  type RuleRecord,
  ruleKey,
  validateRuleConditions,
} from './source-rules.ts';

const RULES_MAX = 1_000;

/** At most {@link RULES_MAX} rules in all apps, no two of them with the same conditions. */
export class RuleRecords {
  private readonly store: Store;
  private readonly requirePort: (port: number) => Promise<void>;

  /** @param requirePort throws `conflict` when no rule can name this port, because it can't be listened on here */
  constructor(store: Store, requirePort: (port: number) => Promise<void>) {
    this.store = store;
    this.requirePort = requirePort;
  }

  /** The rules that name an app, in the order of their keys, which isn't that in which they apply. */
  async listOf(app: AppId): Promise<RuleRecord[]> {
    return (await this.store.listOfApp<RuleRecord>(app, RULE_PREFIX)).map(({ value }) => value);
  }

  /** @throws TailraceError `invalid_params`, `conflict` */
  async create(app: AppId, source: string, conditions: RuleConditions): Promise<RuleRecord> {
    validateRuleConditions(conditions);
    const wanted = JSON.stringify(normalizeConditions(conditions));
    const all = await this.list();
    const duplicate = all.find((rule) => JSON.stringify(normalizeConditions(rule)) === wanted);
    if (duplicate)
      throw new TailraceError(
        'conflict',
        `There is a rule with the same conditions already: ${duplicate.id}.`,
      );
    if (all.length >= RULES_MAX)
      throw new TailraceError('invalid_params', `There are ${RULES_MAX} rules: remove some first.`);
    if (conditions.port !== undefined) await this.requirePort(conditions.port);
    const rule: RuleRecord = {
      id: randomUUID(),
      app,
      source,
      ...normalizeConditions(conditions),
      number: 1 + Math.max(0, ...all.map(({ number }) => number ?? 0)),
      createdAt: new Date().toISOString(),
    };
    await this.store.transact('', [{ key: ruleKey(rule.id), value: rule }]);
    return rule;
  }

  /** @throws TailraceError `not_found` */
  async remove(app: AppId, id: string): Promise<RuleRecord> {
    const found = await this.store.get<RuleRecord>('', ruleKey(id));
    if (found?.value.app !== app) throw new TailraceError('not_found', "Couldn't find that rule.");
    await this.store.transact('', [{ key: ruleKey(id), value: undefined }]);
    return found.value;
  }

  private async list(): Promise<RuleRecord[]> {
    return (await this.store.list<RuleRecord>('', RULE_PREFIX)).map(({ value }) => value);
  }
}

const CONDITIONS = ['port', 'network', 'tag', 'hostname', 'certificate'];

/**
 * Reads conditions out of JSON, beside a `source`.
 * @throws TailraceError `invalid_params` for a value of the wrong kind, and for a name that is none: without that condition the rule
 * would be of more senders than are meant
 */
export function readRuleConditions(body: Readonly<Record<string, unknown>>): RuleConditions {
  const other = Object.keys(body).find((name) => name !== 'source' && !CONDITIONS.includes(name));
  if (other !== undefined)
    throw new TailraceError(
      'invalid_params',
      `A rule has no condition "${other}": there are ${CONDITIONS.join(', ')}.`,
    );
  const text = (name: string): string | undefined => {
    const value = body[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'string' || value === '')
      throw new TailraceError('invalid_params', `The rule's ${name} must be a text.`);
    return value;
  };
  const { port } = body;
  if (port !== undefined && port !== null && typeof port !== 'number')
    throw new TailraceError('invalid_params', "The rule's port must be a number.");
  return normalizeConditions({
    port: port ?? undefined,
    network: text('network'),
    tag: text('tag'),
    hostname: text('hostname'),
    certificate: text('certificate'),
  });
}

/** Only what is given, always in the same order. */
export function normalizeConditions({
  port,
  network,
  tag,
  hostname,
  certificate,
}: RuleConditions): RuleConditions {
  return {
    ...(port === undefined ? {} : { port }),
    ...(network === undefined ? {} : { network }),
    ...(tag === undefined ? {} : { tag }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(certificate === undefined ? {} : { certificate }),
  };
}
