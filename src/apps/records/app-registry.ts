/** The apps and their tokens and drains, as records in the store. */

import { randomUUID } from 'node:crypto';
import { domainToASCII } from 'node:url';
import { TailraceError } from '../../common/errors.ts';
import {
  DRAIN_PREFIX,
  type DrainRecord,
  drainKey,
  parseDrainUrl,
  redactUrl,
} from '../../logs/drains/options/drain-record.ts';
import { cursorKey } from '../../logs/drains/progress/cursor-record.ts';
import { refusedKeyPrefix } from '../../logs/drains/progress/refused-batches.ts';
import { RULE_PREFIX, type RuleRecord, ruleKey } from '../../logs/router/source-rules.ts';
import { TOKEN_PREFIX, type TokenRecord, tokenKey, WILDCARD_SOURCE } from '../../logs/router/token-cache.ts';
import { SOURCE_NAME_PATTERN } from '../../logs/sources/wildcard-token.ts';
import { limitsKey } from '../../logs/store/app-limits.ts';
import type { AppId, RecordChange, Store, StoredRecord } from '../../logs/store/contract.ts';
import { editionKey } from '../../logs/store/stream-edition.ts';
import { positionsKey } from '../../logs/store/stream-positions.ts';

/** An app's record, under `app/<id>` in the scope of no app; `name/<name>` leads to it. */
export interface AppRecord {
  readonly id: AppId;
  readonly name: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Unset: no. */
  readonly maintenance?: boolean;
  /** Address of the app that it was made after, such as `https://api.heroku.com/apps/<id>`: an import that is run again finds it. */
  readonly importedFrom?: string;
}

/** A host name of an app, under `domain/<hostname>` in the scope of no app. */
export interface DomainRecord {
  readonly id: string;
  readonly app: AppId;
  readonly hostname: string;
  readonly createdAt: string;
}

/** Heroku's rule for names. */
export const APP_NAME_PATTERN = /^[a-z][a-z0-9-]{1,28}[a-z0-9]$/;
const DRAINS_MAX = 20;
/** When two change the same app at once, the later one reads again. */
const ATTEMPTS_MAX = 20;
/** RFC 1123 host names, with a wildcard for the first label. */
const HOSTNAME_PATTERN =
  /^(?=.{4,253}$)(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Reads the store with each call, so that what another router has changed is seen; a change is all or nothing, with compare-and-set. */
export class AppRegistry {
  private readonly store: Store;
  private pendingAppNames: Promise<ReadonlyMap<AppId, string>> | undefined;

  constructor(store: Store) {
    this.store = store;
  }

  /**
   * Creates an app with the tokens of its two default sources, `app` and `heroku`.
   * @throws TailraceError `invalid_params` for a bad name, and for one that is taken
   */
  async createApp(name: string, importedFrom?: string): Promise<AppRecord> {
    rejectInvalidAppName(name);
    const { app, changes } = newAppChanges(randomUUID() as AppId, name, importedFrom);
    const committed = await this.store.transact('', changes);
    if (!committed) throw nameTaken(name);
    return app;
  }

  /** All apps, by name. */
  async listApps(): Promise<AppRecord[]> {
    const records = await this.store.list<AppRecord>('', 'app/');
    return records.map(({ value }) => value).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** All names, by the apps' ids. Concurrent calls share one read: a scrape calls it for each of its metrics. */
  appNames(): Promise<ReadonlyMap<AppId, string>> {
    this.pendingAppNames ??= this.listApps()
      .then((apps) => new Map(apps.map(({ id, name }) => [id, name])))
      .finally(() => {
        this.pendingAppNames = undefined;
      });
    return this.pendingAppNames;
  }

  /**
   * The app with this name or id.
   * @throws TailraceError `not_found`
   */
  async getApp(nameOrId: string): Promise<AppRecord> {
    const found = await this.findApp(nameOrId);
    if (!found) throw appNotFound();
    return found;
  }

  /** By name, else by id; undefined when there is none. */
  async findApp(nameOrId: string): Promise<AppRecord | undefined> {
    const named = await this.store.get<AppId>('', `name/${nameOrId}`);
    const record = await this.store.get<AppRecord>('', `app/${named?.value ?? nameOrId}`);
    return record?.value;
  }

  /**
   * Changes an app's name or maintenance.
   * @throws TailraceError `invalid_params` for a bad name, and for one that is taken
   */
  async updateApp(
    { id }: Pick<AppRecord, 'id'>,
    change: { name?: string; maintenance?: boolean },
  ): Promise<AppRecord> {
    if (change.name !== undefined) rejectInvalidAppName(change.name);
    return this.changeApp(id, async (before) => {
      if (!before) throw appNotFound();
      // What the caller knows of the app may have changed, its name too.
      const app = before.value;
      const name = change.name ?? app.name;
      if (name !== app.name && (await this.store.get('', `name/${name}`))) throw nameTaken(name);
      const next: AppRecord = {
        ...app,
        name,
        maintenance: change.maintenance ?? app.maintenance,
        updatedAt: new Date().toISOString(),
      };
      const changes = [
        { key: `app/${id}`, value: next, ifVersion: before.version },
        ...(name === app.name
          ? []
          : [
              { key: `name/${name}`, value: id, ifVersion: 0 },
              { key: `name/${app.name}`, value: undefined },
              ...(await this.renamedDrains(id, name)),
            ]),
      ];
      return { changes, result: next };
    });
  }

  /**
   * Changes of the drains whose lines carry the app's name: another app may get the one that it had. Those to add-ons of a server go on under the
   * name that their lines came with so far.
   */
  private async renamedDrains(app: AppId, name: string): Promise<RecordChange[]> {
    const drains = await this.store.listOfApp<DrainRecord>(app, DRAIN_PREFIX);
    return drains
      .filter(({ value }) => value.server === undefined)
      .map(({ value, version }) => ({
        key: drainKey(value.id),
        value: { ...value, appName: name },
        ifVersion: version,
      }));
  }

  /** Names of some apps, by their ids; of those that are there. */
  async namesOf(apps: readonly AppId[]): Promise<ReadonlyMap<AppId, string>> {
    const records = await Promise.all(apps.map((app) => this.store.get<AppRecord>('', `app/${app}`)));
    return new Map(records.flatMap((record) => (record ? [[record.value.id, record.value.name]] : [])));
  }

  /** Those that were added, by host name; the name below a domain of the server isn't among them. */
  async listDomains(app: AppId): Promise<DomainRecord[]> {
    const records = await this.store.listOfApp<DomainRecord>(app, 'domain/');
    return records.map(({ value }) => value);
  }

  /** @throws TailraceError `invalid_params` for no host name, `conflict` for one that an app has */
  async addDomain(app: AppId, hostname: string): Promise<DomainRecord> {
    const lower = hostname.toLowerCase();
    if (!HOSTNAME_PATTERN.test(lower))
      throw new TailraceError(
        'invalid_params',
        `"${hostname}" is no host name: write it like ${asHostname(lower) ?? 'www.example.com'}, without http:// and without a path.`,
      );
    return this.addToApp(app, async () => {
      const key = `domain/${lower}`;
      if (await this.store.get('', key))
        throw new TailraceError('conflict', `${lower} is already the domain of an app.`);
      const value = { id: randomUUID(), app, hostname: lower, createdAt: new Date().toISOString() };
      return { key, value, ifVersion: 0 };
    });
  }

  /** Has an app added this host name, as it is? */
  async hasDomain(hostname: string): Promise<boolean> {
    return HOSTNAME_PATTERN.test(hostname) && (await this.store.get('', `domain/${hostname}`)) !== undefined;
  }

  /** By host name or id. @throws TailraceError `not_found` */
  async getDomain(app: AppId, which: string): Promise<DomainRecord> {
    const domains = await this.listDomains(app);
    const found = domains.find(({ id, hostname }) => which === id || which.toLowerCase() === hostname);
    if (!found) throw new TailraceError('not_found', "Couldn't find that domain name.");
    return found;
  }

  /** @throws TailraceError `not_found` */
  async removeDomain(app: AppId, which: string): Promise<DomainRecord> {
    const domain = await this.getDomain(app, which);
    await this.store.transact('', [{ key: `domain/${domain.hostname}`, value: undefined }]);
    return domain;
  }

  /** Removes an app with its tokens, drains, records and stream. What is added to it, and how it is called, until it is gone is removed with it. */
  async destroyApp(app: Pick<AppRecord, 'id'>): Promise<void> {
    await this.changeApp(app.id, async (record) => ({
      changes: record ? await this.removalOf(record) : [],
      result: undefined,
    }));
    // Again, for what was written while they were listed: not for long, as drains keep nothing without their cursors.
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const appRecords = await this.store.list(app.id, '');
      if (appRecords.length === 0) break;
      await this.store.transact(
        app.id,
        appRecords.map(({ key }) => ({ key, value: undefined })),
      );
    }
    await this.store.dropStream(app.id);
  }

  /** Of the records of an app and of what belongs to it. */
  private async removalOf({ value: app, version }: StoredRecord<AppRecord>): Promise<RecordChange[]> {
    const tokens = await this.listTokens(app.id);
    const drains = await this.listDrains(app.id);
    const rules = await this.store.listOfApp<RuleRecord>(app.id, RULE_PREFIX);
    const domains = await this.listDomains(app.id);
    const keys = [
      ...rules.map(({ value }) => ruleKey(value.id)),
      ...domains.map(({ hostname }) => `domain/${hostname}`),
      `name/${app.name}`,
      editionKey(app.id),
      positionsKey(app.id),
      limitsKey(app.id),
      ...tokens.map(({ token }) => tokenKey(token)),
      ...drains.map(({ id }) => drainKey(id)),
    ];
    return [
      { key: `app/${app.id}`, value: undefined, ifVersion: version },
      ...keys.map((key) => ({ key, value: undefined })),
    ];
  }

  /**
   * Adds a record to an app: when something else is added to it, or it is destroyed, at the same time, it is decided anew whether it can be.
   * @param decide looks at what is there, of the app as it is; throws what refuses it
   * @throws TailraceError `not_found` for an app that is gone
   */
  private async addToApp<T>(
    app: AppId,
    decide: (app: AppRecord) => Promise<RecordChange & { readonly value: T }>,
  ): Promise<T> {
    return this.changeApp(app, async (record) => {
      if (!record) throw appNotFound();
      const added = await decide(record.value);
      const unchanged = { key: `app/${app}`, value: record.value, ifVersion: record.version };
      return { changes: [added, unchanged], result: added.value };
    });
  }

  /**
   * Changes what belongs to an app: when somebody else has changed it at the same time, it is read and decided anew.
   * @param decide what to change, of the record as it is; undefined when the app is gone. What it throws refuses the change
   * @throws TailraceError `conflict` when too many change it
   */
  private async changeApp<T>(
    app: AppId,
    decide: (record: StoredRecord<AppRecord> | undefined) => Promise<{ changes: RecordChange[]; result: T }>,
  ): Promise<T> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const { changes, result } = await decide(await this.store.get<AppRecord>('', `app/${app}`));
      if (changes.length === 0 || (await this.store.transact('', changes))) return result;
    }
    throw new TailraceError('conflict', 'This app is being changed by too many at once: try again.');
  }

  /** All tokens of an app; their order says nothing. */
  async listTokens(app: AppId): Promise<TokenRecord[]> {
    const records = await this.store.listOfApp<TokenRecord>(app, TOKEN_PREFIX);
    return records.map(({ value }) => value);
  }

  /**
   * Creates a token for a source of the app.
   * @param token left out: a new one; one that exists stays as it is
   * @throws TailraceError `invalid_params` for a bad source name.
   */
  async addToken(app: AppId, source: string, token?: string): Promise<TokenRecord> {
    if (source !== WILDCARD_SOURCE && !SOURCE_NAME_PATTERN.test(source))
      throw new TailraceError(
        'invalid_params',
        `"${source}" can't be a source's name: use up to 48 letters, digits, dots, dashes and underscores (or * for another router's drain).`,
      );
    return this.addToApp(app, async () => newTokenChange(app, source, token));
  }

  /** @throws TailraceError `not_found` when the app has no such token. */
  async removeToken(app: AppId, token: string): Promise<TokenRecord> {
    const found = await this.store.get<TokenRecord>('', tokenKey(token));
    if (found?.value.app !== app) throw new TailraceError('not_found', "Couldn't find that token.");
    await this.store.transact('', [{ key: tokenKey(token), value: undefined }]);
    return found.value;
  }

  /** Drains of an app, the oldest first; of add-ons as well. */
  async listDrains(app: AppId): Promise<DrainRecord[]> {
    const records = await this.store.listOfApp<DrainRecord>(app, DRAIN_PREFIX);
    return records.map(({ value }) => value).sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  }

  /**
   * Creates a drain; it gets the lines that arrive from now on.
   * @throws TailraceError `invalid_params` for a URL that can't be drained to, `conflict` for one that exists.
   */
  async addDrain(
    app: AppId,
    url: string,
    extra: Pick<DrainRecord, 'options' | 'addon' | 'server'> & { readonly token?: string } = {},
  ): Promise<DrainRecord> {
    parseDrainUrl(url);
    return this.addToApp(app, async ({ name: appName }) => {
      const drains = await this.listDrains(app);
      refuseTakenUrl(drains, url);
      if (drains.length >= DRAINS_MAX)
        throw new TailraceError(
          'invalid_params',
          `You have already added the maximum number of drains allowed (${DRAINS_MAX}).`,
        );
      const now = new Date().toISOString();
      const { last } = await this.store.bounds(app);
      const id = randomUUID();
      const token = `d.${randomUUID()}`;
      const value = { token, ...extra, id, app, appName, url, createdAt: now, updatedAt: now, after: last };
      return { key: drainKey(id), value };
    });
  }

  /**
   * Removes the drain with this id, token or URL.
   * @throws TailraceError `not_found`
   */
  async removeDrain(app: AppId, which: string): Promise<DrainRecord> {
    const drain = await this.getDrain(app, which);
    await this.store.transact('', [{ key: drainKey(drain.id), value: undefined }]);
    // First: without it, whoever is still at work on the drain keeps nothing aside.
    await this.store.transact(app, [{ key: cursorKey(drain.id), value: undefined }]);
    const refused = await this.store.list(app, refusedKeyPrefix(drain.id));
    await this.store.transact(
      app,
      refused.map(({ key }) => ({ key, value: undefined })),
    );
    return drain;
  }

  /**
   * Changes a drain's record. When somebody else has changed it at the same time, it is decided anew of what they have made of it.
   * @param decide of the drain as it is; what it throws refuses the change
   * @throws TailraceError `not_found`; `conflict` for an address that another drain of the app has
   */
  async updateDrain(
    app: AppId,
    which: string,
    decide: (drain: DrainRecord) => Partial<DrainRecord> | Promise<Partial<DrainRecord>>,
  ): Promise<DrainRecord> {
    const { id } = await this.getDrain(app, which);
    return this.changeApp(app, async (appRecord) => {
      const before = await this.store.get<DrainRecord>('', drainKey(id));
      if (!appRecord || !before) throw drainNotFound();
      const change = await decide(before.value);
      const value: DrainRecord = { ...before.value, ...change, updatedAt: new Date().toISOString() };
      const changes: RecordChange[] = [{ key: drainKey(id), value, ifVersion: before.version }];
      if (value.url !== before.value.url) {
        refuseTakenUrl(await this.listDrains(app), value.url, id);
        // As with one that is added: two drains don't get one address at the same time.
        changes.push({ key: `app/${app}`, value: appRecord.value, ifVersion: appRecord.version });
      }
      return { changes, result: value };
    });
  }

  /** @throws TailraceError `not_found` */
  async getDrain(app: AppId, which: string): Promise<DrainRecord> {
    const drains = await this.listDrains(app);
    const drain = drains.find(({ id, token, url }) => [id, token, url, redactUrl(url)].includes(which));
    if (!drain) throw drainNotFound();
    return drain;
  }
}

/** The records of a new app, with the tokens of its two default sources. */
export function newAppChanges(
  id: AppId,
  name: string,
  importedFrom?: string,
): { app: AppRecord; changes: RecordChange[] } {
  const now = new Date().toISOString();
  const app: AppRecord = { id, name, createdAt: now, updatedAt: now, importedFrom };
  const changes = [
    { key: `name/${name}`, value: id, ifVersion: 0 },
    { key: `app/${id}`, value: app },
    ...['app', 'heroku'].map((source) => newTokenChange(id, source)),
  ];
  return { app, changes };
}

/** As Heroku says it. */
function nameTaken(name: string): TailraceError {
  return new TailraceError('invalid_params', `Name ${name} is already taken.`);
}

function appNotFound(): TailraceError {
  return new TailraceError('not_found', "Couldn't find that app.");
}

function drainNotFound(): TailraceError {
  return new TailraceError('not_found', "Couldn't find that drain.");
}

function rejectInvalidAppName(name: string): void {
  if (APP_NAME_PATTERN.test(name)) return;
  throw new TailraceError(
    'invalid_params',
    `Name must start with a letter, end with a letter or digit, and can only contain lowercase letters, digits, and dashes (3 to 30 characters), not "${name}".`,
  );
}

function newTokenChange(
  app: AppId,
  source: string,
  token = `t.${randomUUID()}`,
): RecordChange & { value: TokenRecord } {
  return { key: tokenKey(token), value: { token, app, source, createdAt: new Date().toISOString() } };
}

/** A name with letters of other alphabets, as DNS and clients have it: `xn--mnchen-3ya.de`; undefined for what is no name in any. */
function asHostname(name: string): string | undefined {
  const ascii = domainToASCII(name);
  return HOSTNAME_PATTERN.test(ascii) ? ascii : undefined;
}

/**
 * An app has one drain to an address.
 * @param drains of the app
 * @param ownId of the drain that is to get it; left out: a new one
 * @throws TailraceError `conflict`
 */
function refuseTakenUrl(drains: readonly DrainRecord[], url: string, ownId?: string): void {
  if (drains.some((drain) => drain.url === url && drain.id !== ownId))
    throw new TailraceError('conflict', 'Url has already been taken.');
}
