/**
 * Logins of command lines that a browser confirms (the idea of RFC 8628): the command line begins one and waits, somebody who is signed in looks at
 * it and allows it, and the command line gets a key of theirs.
 */

import { TailraceError } from '../../common/errors.ts';
import { isSameSecret } from '../../common/secret-comparison.ts';
import { hashOfSecret, newSecret } from '../../logs/access/secrets.ts';
import type { Store, StoredRecord } from '../../logs/store/contract.ts';
import { type ApiKeyRecord, type ApiKeys, generateApiKey } from './api-keys.ts';

const LIFETIME_MS = 10 * 60_000;
/** Of all that wait at once. */
const WAITING_MAX = 1_000;
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
const CODE_LETTERS = 8;
const PREFIX = 'login/';
/** Another router's changes may be told late. */
const LOOK_MS = 2_000;

interface LoginRecord {
  /** What the command line says of itself. */
  readonly description: string;
  readonly address: string;
  /** Of the secret with which the command line asks for the key. */
  readonly tokenHash: string;
  readonly expiresAt: string;
  /** The key that was allowed; null: it was refused. Left out: nobody has said anything. */
  readonly answer?: ApiKeyRecord | null;
}

/** What somebody sees who is asked whether they allow it. */
export interface LoginQuestion {
  readonly description: string;
  readonly address: string;
  /** Shown by the command line too: it is this login, and no other one, that is allowed. */
  readonly code: string;
}

export interface BegunLogin {
  /** Names the login, for {@link CommandLineLogins.wait}. */
  readonly id: string;
  /** For the browser's link. */
  readonly secret: string;
  /** For the command line. */
  readonly token: string;
  readonly code: string;
}

/** How a login ended for the command line. */
export type LoginOutcome = { readonly key: string } | 'refused' | 'too late';

const keyOf = (id: string): string => `${PREFIX}${id}`;

export class CommandLineLogins {
  private readonly records: Store;
  private readonly scope: string;
  private readonly apiKeys: Pick<ApiKeys, 'add'>;
  private readonly changed = new Set<() => void>();
  /** Ends the wait of each login that is waited for here. */
  private readonly waiting = new Map<string, () => void>();

  /** @param scope of the records */
  constructor(records: Store, scope: string, apiKeys: Pick<ApiKeys, 'add'>) {
    this.records = records;
    this.scope = scope;
    this.apiKeys = apiKeys;
    records.watchRecords((changedScope) => {
      if (changedScope === scope) for (const look of [...this.changed]) look();
    });
  }

  /** @throws TailraceError `unavailable` when too many wait */
  async begin(description: string, address: string): Promise<BegunLogin> {
    const all = await this.records.list<LoginRecord>(this.scope, PREFIX);
    const isOver = ({ value }: StoredRecord<LoginRecord>): boolean =>
      Date.parse(value.expiresAt) <= Date.now();
    const over = all.filter(isOver);
    if (all.length - over.length >= WAITING_MAX)
      throw new TailraceError(
        'unavailable',
        'Too many logins wait to be confirmed: try again in a few minutes.',
      );
    const secret = newSecret();
    const token = newSecret();
    const id = hashOfSecret(secret);
    const record: LoginRecord = {
      description,
      address,
      tokenHash: hashOfSecret(token),
      expiresAt: new Date(Date.now() + LIFETIME_MS).toISOString(),
    };
    await this.records.transact(this.scope, [
      ...over.map(({ key }) => ({ key, value: undefined })),
      { key: keyOf(id), value: record },
    ]);
    return { id, secret, token, code: codeOf(id) };
  }

  /** What the link of a browser asks. @throws TailraceError `not_found` for one that was answered, or is too old */
  async question(secret: string): Promise<LoginQuestion> {
    const { description, address } = (await this.open(hashOfSecret(secret))).value;
    return { description, address, code: codeOf(hashOfSecret(secret)) };
  }

  /**
   * Allows a login, with the record of the key that it gets, or refuses it.
   * @throws TailraceError `not_found` for one that was answered, or is too old
   */
  async answer(secret: string, answer: ApiKeyRecord | null): Promise<void> {
    const id = hashOfSecret(secret);
    const { value, version } = await this.open(id);
    const changes = [{ key: keyOf(id), value: { ...value, answer }, ifVersion: version }];
    if (!(await this.records.transact(this.scope, changes))) throw noLogin();
  }

  /**
   * Waits for the answer; the key is made when it is fetched, and is in no record before. Whoever asks again waits in the place of who asked
   * before: so no more than {@link WAITING_MAX} wait at all.
   * @throws TailraceError `unauthorized` for a wrong token
   */
  async wait(id: string, token: string, closed: AbortSignal): Promise<LoginOutcome> {
    const tokenHash = hashOfSecret(token);
    const found = await this.find(id, tokenHash);
    if (!found) return 'too late';
    this.waiting.get(id)?.();
    const over = new AbortController();
    const end = (): void => over.abort();
    this.waiting.set(id, end);
    closed.addEventListener('abort', end);
    if (closed.aborted) end();
    try {
      return await this.waitUntil(over.signal, id, tokenHash);
    } finally {
      closed.removeEventListener('abort', end);
      if (this.waiting.get(id) === end) this.waiting.delete(id);
    }
  }

  private async waitUntil(over: AbortSignal, id: string, tokenHash: string): Promise<LoginOutcome> {
    for (;;) {
      const change = this.nextChange(over);
      const found = await this.find(id, tokenHash);
      // A key that nobody fetches isn't made.
      if (!found || over.aborted) return 'too late';
      const { answer } = found.value;
      if (answer !== undefined) {
        const taken = [{ key: keyOf(id), value: undefined, ifVersion: found.version }];
        // Of two that ask, one gets the key.
        if (!(await this.records.transact(this.scope, taken)) || answer === null) return 'refused';
        const key = generateApiKey();
        await this.apiKeys.add(key, answer);
        return { key };
      }
      await change;
    }
  }

  /** @returns undefined for one that is too old @throws TailraceError `unauthorized` */
  private async find(id: string, tokenHash: string): Promise<StoredRecord<LoginRecord> | undefined> {
    const found = await this.records.get<LoginRecord>(this.scope, keyOf(id));
    if (found && !isSameSecret(found.value.tokenHash, tokenHash))
      throw new TailraceError('unauthorized', 'This isn’t the token of this login.');
    return found && Date.parse(found.value.expiresAt) > Date.now() ? found : undefined;
  }

  private async open(id: string): Promise<StoredRecord<LoginRecord>> {
    const found = await this.records.get<LoginRecord>(this.scope, keyOf(id));
    if (!found || found.value.answer !== undefined || Date.parse(found.value.expiresAt) <= Date.now())
      throw noLogin();
    return found;
  }

  private nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.changed.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, LOOK_MS);
      this.changed.add(done);
      signal.addEventListener('abort', done);
    });
  }
}

function noLogin(): TailraceError {
  return new TailraceError(
    'not_found',
    'This login was answered already, or is too old: begin another one on the command line.',
  );
}

/** `BCDF-GHJK`: letters that make no words, of what names the login. */
function codeOf(id: string): string {
  const letters = Array.from(
    { length: CODE_LETTERS },
    (_, i) => LETTERS[Number.parseInt(id.slice(2 * i, 2 * i + 2), 16) % LETTERS.length],
  ).join('');
  return `${letters.slice(0, CODE_LETTERS / 2)}-${letters.slice(CODE_LETTERS / 2)}`;
}
