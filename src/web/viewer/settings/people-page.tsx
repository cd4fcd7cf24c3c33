import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { RelativeTime } from '../../addons/shared/relative-time.tsx';
import { visibleText } from '../../text/visible-text.ts';
import { DialogForm, typedText } from '../../view/controls/dialog-form.tsx';
import { Icon } from '../../view/icon.tsx';
import { Modal } from '../../view/modal.tsx';
import type { InviteJson, KeyJson, RoleName, UserJson } from '../api/viewer-json.ts';
import type { ViewerPage } from '../viewer-page.ts';
import { ActionButton, CopyField, SettingsFrame, useQuestion } from './settings-frame.tsx';
import { Card, RowActions, SettingsTable } from './settings-table.tsx';

const ROLE_LABELS: Record<RoleName, string> = {
  reader: 'may read',
  member: 'reads, keeps searches and alerts',
  owner: 'may do everything',
};
const KEY_SCOPE_LABELS = {
  read: 'read lines',
  write: 'read, send lines, keep searches and alerts',
  admin: 'everything',
};

interface People {
  readonly users: readonly UserJson[];
  readonly invites: readonly InviteJson[];
  readonly keys: readonly KeyJson[];
}

/** Who may look, and programs that may. */
export function PeoplePage({ page }: { page: ViewerPage }) {
  const [people, setPeople] = useState<People | undefined>(undefined);
  const [ask, question] = useQuestion();
  const [dialog, setDialog] = useState<'' | 'invite' | 'key'>('');
  const load = (): Promise<boolean> =>
    page.attempt(async () => {
      const [users, invites, keys] = await Promise.all([
        page.client.get<UserJson[]>('api/users'),
        page.client.get<InviteJson[]>('api/invites'),
        page.client.get<KeyJson[]>('api/keys'),
      ]);
      setPeople({ users, invites, keys });
    });
  useEffect(() => void load(), []);
  const remove = (path: string, title: string, text: string): void =>
    ask({
      title,
      text,
      button: 'Remove',
      isDangerous: true,
      onAnswer: async () => {
        await page.client.change('DELETE', path);
        await load();
      },
    });
  const closeDialog = (): void => {
    setDialog('');
    void load();
  };
  return (
    <SettingsFrame
      title="People"
      hint="Who may read these lines, and keys for programs."
      actions={
        <>
          <button type="button" class="main-button" onClick={() => setDialog('invite')}>
            <Icon name="plus" /> Invite somebody
          </button>
          <button type="button" class="plain-button" onClick={() => setDialog('key')}>
            <Icon name="plus" /> New API key
          </button>
        </>
      }
    >
      {people && (
        <>
          <Card label="People">
            <SettingsTable columns={['person', 'role', 'since']}>
              <tbody>
                {people.users.map((user) => (
                  <UserRow key={user.id} user={user} page={page} reload={load} remove={remove} />
                ))}
                {people.invites.map((invite) => (
                  <InviteRow key={invite.id} invite={invite} page={page} remove={remove} />
                ))}
              </tbody>
            </SettingsTable>
          </Card>
          <Card label="API keys" head={<h3>API keys</h3>}>
            {people.keys.length === 0 ? (
              <p class="settings-empty">None. A program shows one as “Authorization: Bearer …”.</p>
            ) : (
              <table class="settings-table">
                <tbody>
                  {people.keys.map((key) => (
                    <KeyRow key={key.id} apiKey={key} page={page} remove={remove} />
                  ))}
                </tbody>
              </table>
            )}
          </Card>
        </>
      )}
      {dialog === 'invite' && <InviteDialog page={page} onClose={closeDialog} />}
      {dialog === 'key' && <KeyDialog page={page} onClose={closeDialog} />}
      {question}
    </SettingsFrame>
  );
}

/** Removes what has a path, once that is confirmed: a question, and what comes of it. */
type Remove = (path: string, title: string, text: string) => void;

interface UserRowProps {
  readonly user: UserJson;
  readonly page: ViewerPage;
  readonly reload: () => Promise<boolean>;
  readonly remove: Remove;
}

function UserRow({ user, page, reload, remove }: UserRowProps) {
  const email = visibleText(user.email);
  const path = `api/users/${user.id}`;
  return (
    <tr>
      <th scope="row">{email}</th>
      <td>
        <RoleSelect
          label={`Role of ${email}`}
          role={user.role}
          groups={groupsText(page, user.groups)}
          onSelect={(role) =>
            void page.attempt(() => page.client.change('PATCH', path, { role })).then(reload)
          }
        />
      </td>
      <td>
        <RelativeTime ms={Date.parse(user.created_at)} />
      </td>
      <RowActions>
        <ActionButton
          icon="trash"
          label={`Remove ${email}`}
          onClick={() =>
            remove(path, `Remove ${email}?`, 'They can’t sign in any more, and what they have open ends.')
          }
        />
      </RowActions>
    </tr>
  );
}

function InviteRow({ invite, page, remove }: { invite: InviteJson; page: ViewerPage; remove: Remove }) {
  const { id, role, groups, expires_at: expiresAt } = invite;
  const whom = visibleText(invite.email ?? 'somebody');
  return (
    <tr>
      <th scope="row">{whom} (invited)</th>
      <td>{role ? ROLE_LABELS[role] : groupsText(page, groups)}</td>
      <td>until {new Date(expiresAt).toLocaleDateString('en', { day: 'numeric', month: 'short' })}</td>
      <RowActions>
        <ActionButton
          icon="trash"
          label={`Take back the invitation of ${whom}`}
          onClick={() => remove(`api/invites/${id}`, 'Take the invitation back?', 'Its link works no more.')}
        />
      </RowActions>
    </tr>
  );
}

function KeyRow({ apiKey, page, remove }: { apiKey: KeyJson; page: ViewerPage; remove: Remove }) {
  const { id, scope, groups, created_at: createdAt } = apiKey;
  const name = visibleText(apiKey.name);
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>
        {KEY_SCOPE_LABELS[scope as keyof typeof KEY_SCOPE_LABELS] ?? scope}
        {groups && ` in ${groups.map((group) => groupName(page, group)).join(', ')}`}
      </td>
      <td>
        <RelativeTime ms={Date.parse(createdAt)} />
      </td>
      <RowActions>
        <ActionButton
          icon="trash"
          label={`Remove the key ${name}`}
          onClick={() =>
            remove(
              `api/keys/${id}`,
              `Remove the key ${name}?`,
              'Programs that show it are refused from now on.',
            )
          }
        />
      </RowActions>
    </tr>
  );
}

interface RoleSelectProps {
  readonly label: string;
  readonly role: RoleName | null;
  /** What somebody may do in single groups. */
  readonly groups: string;
  readonly onSelect: (role: RoleName) => void;
}

function RoleSelect({ label, role, groups, onSelect }: RoleSelectProps) {
  return (
    <select
      class="plain-select"
      aria-label={label}
      value={role ?? ''}
      onChange={(event) => onSelect(event.currentTarget.value as RoleName)}
    >
      {role === null && <option value="">{groups}</option>}
      <LabeledOptions labels={ROLE_LABELS} />
    </select>
  );
}

function LabeledOptions({ labels }: { labels: Readonly<Record<string, string>> }) {
  return (
    <>
      {Object.entries(labels).map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </>
  );
}

function InviteDialog({ page, onClose }: { page: ViewerPage; onClose: () => void }) {
  const invite = async (values: FormData): Promise<string> => {
    const role = typedText(values, 'role') || 'reader';
    const group = typedText(values, 'group');
    const email = typedText(values, 'email');
    const made = await page.client.change<InviteJson>('POST', 'api/invites', {
      ...(email && { email }),
      ...(group ? { groups: { [group]: role } } : { role }),
    });
    return made.url ?? '';
  };
  return (
    <SecretDialog
      page={page}
      title="Invite somebody"
      button="Make a link"
      make={invite}
      label="Link"
      hint="Send them this link; it works once, for a week."
      onClose={onClose}
    >
      <label>
        <span>For</span>
        <input name="email" type="email" autocomplete="off" placeholder="zoe@example.com" />
      </label>
      <label>
        <span>Role</span>
        <select name="role" class="plain-select">
          <LabeledOptions labels={ROLE_LABELS} />
        </select>
      </label>
    </SecretDialog>
  );
}

function KeyDialog({ page, onClose }: { page: ViewerPage; onClose: () => void }) {
  const makeKey = async (values: FormData): Promise<string> => {
    const group = typedText(values, 'group');
    const made = await page.client.change<KeyJson>('POST', 'api/keys', {
      name: typedText(values, 'name'),
      scope: typedText(values, 'scope'),
      ...(group && { groups: [group] }),
    });
    return made.key ?? '';
  };
  return (
    <SecretDialog
      page={page}
      title="New API key"
      button="Make it"
      make={makeKey}
      label="Key"
      hint="It is shown this once."
      onClose={onClose}
    >
      <label>
        <span>What for</span>
        <input name="name" autocomplete="off" required maxLength={100} />
      </label>
      <label>
        <span>May</span>
        <select name="scope" class="plain-select">
          <LabeledOptions labels={KEY_SCOPE_LABELS} />
        </select>
      </label>
    </SecretDialog>
  );
}

interface SecretDialogProps {
  readonly page: ViewerPage;
  readonly title: string;
  readonly button: string;
  /** Gives what is shown then, once. */
  readonly make: (values: FormData) => Promise<string>;
  readonly label: string;
  readonly hint: string;
  readonly onClose: () => void;
  /** The fields above the one of groups. */
  readonly children: ComponentChildren;
}

/** Makes what lets somebody in, or a program, and shows it to be copied. */
function SecretDialog(props: SecretDialogProps) {
  const { page, title, button, make, label, hint, onClose, children } = props;
  const [secret, setSecret] = useState('');
  return (
    <Modal title={title} onClose={onClose}>
      {secret ? (
        <div class="time-form">
          <p>{hint}</p>
          <CopyField label={label} value={secret} page={page} />
        </div>
      ) : (
        <DialogForm
          class="wide-labels"
          onSubmit={async (values) => setSecret(await make(values))}
          buttons={<button type="submit">{button}</button>}
        >
          {children}
          <label>
            <span>In</span>
            <select name="group" class="plain-select">
              <option value="">all groups</option>
              {(page.groups.value ?? []).map(({ id, name }) => (
                <option key={id} value={id}>
                  {visibleText(name)}
                </option>
              ))}
            </select>
          </label>
        </DialogForm>
      )}
    </Modal>
  );
}

function groupName(page: ViewerPage, id: string): string {
  return visibleText(page.groups.value?.find((group) => group.id === id)?.name ?? 'a group that is gone');
}

function groupsText(page: ViewerPage, groups: Readonly<Record<string, RoleName>>): string {
  const texts = Object.entries(groups).map(([id, role]) => `${ROLE_LABELS[role]} in ${groupName(page, id)}`);
  return texts.join('; ') || 'nothing';
}
