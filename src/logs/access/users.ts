/** People, and how they become known: with the link of the first start, or with an invitation. */

import { randomUUID } from 'node:crypto';
import { TailraceError } from '../../common/errors.ts';
import { isSameSecret } from '../../common/secret-comparison.ts';
import type { RecordChange, Store, StoredRecord } from '../store/contract.ts';
import { hashPassword, isPassword } from './passwords.ts';
import {
  emailKey,
  type Identity,
  type InviteRecord,
  inviteKey,
  isSameAddress,
  type Rights,
  type UserRecord,
  userKey,
} from './people-records.ts';
import { hashOfSecret, newSecret } from './secrets.ts';

const INVITE_MS = 7 * 86_400_000;
const USER_PREFIX = 'user/';
const CHANGED = 'Somebody else has changed this user, or another owner, just now: try again.';
const EMAIL = /^[^\s@\p{C}]{1,64}@[^\s@\p{C}]{1,190}$/u;

/** Whoever has this role everywhere may do everything; there is always one. */
const OWNER_ROLE = 'owner';

export class Users<Role extends string> {
  private readonly records: Store;
  private readonly scope: string;
  /** Of the link that is printed while nobody is known; it is another one after every start. */
  private readonly firstRunSecret = newSecret();

  /** @param scope of the records: of people, of the keys and invitations that they have made (`key/`, `invite/` with `createdBy`) */
  constructor(records: Store, scope: string) {
    this.records = records;
    this.scope = scope;
  }

  /** All, by address. */
  async list(): Promise<UserRecord<Role>[]> {
    const found = await this.records.list<UserRecord<Role>>(this.scope, USER_PREFIX);
    return found.map(({ value }) => value).sort((a, b) => (a.email < b.email ? -1 : 1));
  }

  /** By id; undefined for one who was removed. */
  async find(id: string): Promise<UserRecord<Role> | undefined> {
    return (await this.records.get<UserRecord<Role>>(this.scope, userKey(id)))?.value;
  }

  /** The secret of the link with which the first owner makes themselves known; undefined when there is somebody. */
  async firstRun(): Promise<string | undefined> {
    return (await this.list()).length === 0 ? this.firstRunSecret : undefined;
  }

  /** @throws TailraceError `unauthorized`, `invalid_params` */
  async createFirst(secret: string, email: string, password: string): Promise<UserRecord<Role>> {
    const wanted = await this.firstRun();
    if (wanted === undefined || !isSameSecret(secret, wanted))
      throw new TailraceError(
        'unauthorized',
        'This link was used already, or is of another start: one is printed at a start while nobody is known.',
      );
    return this.create(
      email,
      { password: await hashPassword(password) },
      { role: OWNER_ROLE as Role, groups: {} },
      { onlyFirst: true },
    );
  }

  /** The user with this address and password; undefined when there is none. */
  async withPassword(email: string, password: string): Promise<UserRecord<Role> | undefined> {
    const id = await this.records.get<string>(this.scope, emailKey(email.trim()));
    const user = id && (await this.find(id.value));
    return (await isPassword(password, user?.password)) ? user : undefined;
  }

  /**
   * The user whom an identity provider names, by a verified address: somebody who is known, who is invited, or who gets `rights` for coming from
   * there. With their first sign-in a user is tied to the identity: an address that the provider gives to somebody else later is no way in.
   *
   * @param rights of those whom nobody has invited; undefined: they are not let in
   * @throws TailraceError `unauthorized`, `conflict`
   */
  async withIdentity(
    { issuer, subject }: Identity,
    email: string,
    rights: Rights<Role> | undefined,
  ): Promise<UserRecord<Role>> {
    const clean = cleanEmail(email);
    const id = await this.records.get<string>(this.scope, emailKey(clean));
    const identity: Identity = { issuer, subject };
    if (id) {
      const found = await this.getRecord(id.value);
      const known = found.value.identity;
      if (!known) return this.replace(found, { ...found.value, identity });
      if (known.issuer === issuer && known.subject === subject) return found.value;
      throw new TailraceError(
        'unauthorized',
        `${clean} was somebody else at the identity provider before: an owner can remove that person here (\`tailrace access:remove ${clean}\`), and invite you.`,
      );
    }
    const invites = await this.records.list<InviteRecord<Role>>(this.scope, 'invite/');
    const invite = invites.find(
      ({ value }) =>
        value.email?.toLowerCase() === clean.toLowerCase() && Date.parse(value.expiresAt) > Date.now(),
    );
    const given = invite?.value ?? rights;
    if (!given)
      throw new TailraceError(
        'unauthorized',
        `${clean} isn't known here: ask an admin to invite you (\`tailrace access:add ${clean}\`).`,
      );
    return this.create(clean, { identity }, given, { invite });
  }

  /** Changes a password; all sessions of before are over. @throws TailraceError `unauthorized`, `invalid_params` */
  async changePassword(id: string, current: string, next: string): Promise<UserRecord<Role>> {
    const found = await this.getRecord(id);
    if (!found.value.password)
      throw new TailraceError(
        'forbidden',
        'You have no password here: you sign in with your identity provider.',
      );
    if (!(await isPassword(current, found.value.password)))
      throw new TailraceError('forbidden', "That isn't the password that you have now.");
    const password = await hashPassword(next);
    return this.replace(found, {
      ...found.value,
      password,
      passwordVersion: found.value.passwordVersion + 1,
    });
  }

  /** When a right is taken or changed, the keys and invitations that the user has made are removed. @throws TailraceError `not_found`, `conflict` for the last owner */
  async setRights(id: string, rights: Rights<Role>): Promise<UserRecord<Role>> {
    const found = await this.getRecord(id);
    const held = rights.role === OWNER_ROLE ? [] : await this.holdOtherOwner(found.value);
    const removed = hasLess(found.value, rights) ? await this.removalsOfWhatGoesWith(found.value.email) : [];
    return this.replace(found, { ...found.value, role: rights.role, groups: rights.groups }, [
      ...held,
      ...removed,
    ]);
  }

  /** With the keys and invitations that the user has made. @throws TailraceError `not_found`, `conflict` for the last owner */
  async remove(id: string): Promise<void> {
    const { value, version } = await this.getRecord(id);
    const isRemoved = await this.records.transact(this.scope, [
      { key: userKey(id), value: undefined, ifVersion: version },
      { key: emailKey(value.email), value: undefined },
      ...(await this.holdOtherOwner(value)),
      ...(await this.removalsOfWhatGoesWith(value.email)),
    ]);
    if (!isRemoved) throw new TailraceError('conflict', CHANGED);
  }

  /** Keys and invitations are as good as the right of who made them, and nobody comes back by another invitation that is still open. */
  private async removalsOfWhatGoesWith(email: string): Promise<RecordChange[]> {
    const removals: RecordChange[] = [];
    for (const prefix of ['key/', 'invite/'])
      for (const { key, value } of await this.records.list<{
        readonly createdBy: string;
        readonly email?: string;
      }>(this.scope, prefix))
        if (value.createdBy === email || (prefix === 'invite/' && isSameAddress(value.email, email)))
          removals.push({ key, value: undefined });
    return removals;
  }

  /** Those that haven't expired, in the order of their secrets' hashes. */
  async listInvites(): Promise<InviteRecord<Role>[]> {
    const found = await this.records.list<InviteRecord<Role>>(this.scope, 'invite/');
    return found.map(({ value }) => value).filter((invite) => Date.parse(invite.expiresAt) > Date.now());
  }

  /** @returns the invitation, with the secret of its link, which isn't stored */
  async invite(
    rights: Rights<Role>,
    createdBy: string,
    email: string | undefined,
  ): Promise<{ readonly invite: InviteRecord<Role>; readonly secret: string }> {
    if (email !== undefined) cleanEmail(email);
    const secret = newSecret();
    const nowMs = Date.now();
    const invite: InviteRecord<Role> = {
      id: randomUUID(),
      ...(email !== undefined && { email: cleanEmail(email) }),
      ...rights,
      createdAt: new Date(nowMs).toISOString(),
      createdBy,
      expiresAt: new Date(nowMs + INVITE_MS).toISOString(),
    };
    await this.records.transact(this.scope, [{ key: inviteKey(hashOfSecret(secret)), value: invite }]);
    return { invite, secret };
  }

  /** @throws TailraceError `not_found` */
  async removeInvite(id: string): Promise<InviteRecord<Role>> {
    const [removed] = await this.removeInvites((invite) => invite.id === id);
    if (!removed) throw new TailraceError('not_found', "Couldn't find that invitation.");
    return removed;
  }

  /** Takes all invitations back that somebody has: each has a link of its own. */
  removeInvitesOf(email: string): Promise<InviteRecord<Role>[]> {
    return this.removeInvites((invite) => isSameAddress(invite.email, email));
  }

  private async removeInvites(
    isMeant: (invite: InviteRecord<Role>) => boolean,
  ): Promise<InviteRecord<Role>[]> {
    const all = await this.records.list<InviteRecord<Role>>(this.scope, 'invite/');
    const meant = all.filter(({ value }) => isMeant(value));
    if (meant.length > 0)
      await this.records.transact(
        this.scope,
        meant.map(({ key }) => ({ key, value: undefined })),
      );
    return meant.map(({ value }) => value);
  }

  /** @throws TailraceError `unauthorized` for a link that was used or is too old, `forbidden` for another address, `invalid_params`, `conflict` */
  async accept(secret: string, email: string, password: string): Promise<UserRecord<Role>> {
    const key = inviteKey(hashOfSecret(secret));
    const found = await this.records.get<InviteRecord<Role>>(this.scope, key);
    if (!found || Date.parse(found.value.expiresAt) <= Date.now())
      throw new TailraceError(
        'unauthorized',
        'This invitation was used already, was taken back, or is too old: ask for another one.',
      );
    const { role, groups, email: invited } = found.value;
    const clean = cleanEmail(email);
    // Whoever took somebody else's address would share an account with them, once an identity provider brings them.
    if (invited !== undefined && !isSameAddress(invited, clean))
      throw new TailraceError(
        'forbidden',
        'This invitation is for another address: give the one that was invited, or ask for an invitation of yours.',
      );
    const hashed = await hashPassword(password);
    return this.create(email, { password: hashed }, { role, groups }, { invite: found });
  }

  /** @throws TailraceError `not_found` */
  private async getRecord(id: string): Promise<StoredRecord<UserRecord<Role>>> {
    const found = await this.records.get<UserRecord<Role>>(this.scope, userKey(id));
    if (!found) throw new TailraceError('not_found', "Couldn't find that user.");
    return found;
  }

  private async create(
    email: string,
    proof: Pick<UserRecord, 'password' | 'identity'>,
    { role, groups }: Rights<Role>,
    {
      invite,
      onlyFirst,
    }: { readonly invite?: StoredRecord<InviteRecord<Role>>; readonly onlyFirst?: boolean },
  ): Promise<UserRecord<Role>> {
    const clean = cleanEmail(email);
    const user: UserRecord<Role> = {
      id: randomUUID(),
      email: clean,
      ...proof,
      passwordVersion: 1,
      ...(role && { role }),
      groups,
      createdAt: new Date().toISOString(),
    };
    const isMade = await this.records.transact(this.scope, [
      { key: userKey(user.id), value: user, ifVersion: 0 },
      { key: emailKey(clean), value: user.id, ifVersion: 0 },
      ...(invite ? [{ key: invite.key, value: undefined, ifVersion: invite.version }] : []),
      // Of two at once one is the first.
      ...(onlyFirst ? [{ key: 'first-run', value: user.id, ifVersion: 0 }] : []),
    ]);
    if (!isMade)
      throw new TailraceError('conflict', `There is a user ${clean} already, or the link was used: sign in.`);
    return user;
  }

  private async replace(
    { version }: StoredRecord<UserRecord<Role>>,
    { role, ...rest }: UserRecord<Role>,
    more: readonly RecordChange[] = [],
  ): Promise<UserRecord<Role>> {
    const user: UserRecord<Role> = { ...rest, ...(role && { role }) };
    const isMade = await this.records.transact(this.scope, [
      { key: userKey(user.id), value: user, ifVersion: version },
      ...more,
    ]);
    if (!isMade) throw new TailraceError('conflict', CHANGED);
    return user;
  }

  /**
   * What has to be stored with the change of someone who will be no owner any more: another one, as they are, so that of two
   * who take each other's rights at once one stays.
   * @throws TailraceError `conflict` for the last owner
   */
  private async holdOtherOwner({ id, role }: UserRecord<Role>): Promise<readonly RecordChange[]> {
    if (role !== OWNER_ROLE) return [];
    const users = await this.records.list<UserRecord<Role>>(this.scope, USER_PREFIX);
    const other = users.find(({ value }) => value.id !== id && value.role === OWNER_ROLE);
    if (!other) throw new TailraceError('conflict', 'This is the last owner: make another one first.');
    return [{ key: other.key, value: other.value, ifVersion: other.version }];
  }
}

/** Are there rights that somebody had, and has no longer as they were? */
function hasLess<Role extends string>(before: Rights<Role>, now: Rights<Role>): boolean {
  if (now.role === OWNER_ROLE) return false;
  const isRoleTaken = before.role !== undefined && before.role !== now.role;
  return isRoleTaken || Object.entries(before.groups).some(([id, role]) => now.groups[id] !== role);
}

/** @throws TailraceError `invalid_params` */
function cleanEmail(email: string): string {
  const clean = email.trim();
  if (!EMAIL.test(clean))
    throw new TailraceError('invalid_params', 'That is no e-mail address: write it like ada@example.com.');
  return clean;
}
