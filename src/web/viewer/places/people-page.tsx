import { useEffect, useRef, useState } from 'preact/hooks';
import { RelativeTime } from '../../addons/shared/relative-time.tsx';
import { visibleText } from '../../text/visible-text.ts';
import { FormError } from '../../view/controls/form-error.tsx';
import { Icon } from '../../view/icon.tsx';
import { Modal } from '../../view/modal.tsx';
import type { InviteJson, KeyJson, RoleName, UserJson } from '../api/viewer-json.ts';
import type { ViewerPage } from '../viewer-page.ts';
import { ActionButton, CopyField, PlaceFrame, Question, type QuestionProps } from './place-parts.tsx';

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
  const [question, setQuestion] = useState<Omit<QuestionProps, 'onClose'> | undefined>(undefined);
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
  const remove = (title: string, text: string, path: string): void =>
    setQuestion({
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
    <PlaceFrame
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
          <section class="card" aria-label="People">
            <table class="place-table">
              <thead>
                <tr>
                  <th scope="col">person</th>
                  <th scope="col">role</th>
                  <th scope="col">since</th>
                  <th scope="col">
                    <span class="visually-hidden">actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {people.users.map((user) => (
                  <tr key={user.id}>
                    <th scope="row">{visibleText(user.email)}</th>
                    <td>
                      <RoleSelect
                        label={`Role of ${visibleText(user.email)}`}
                        role={user.role}
                        groups={groupsText(page, user.groups)}
                        onSelect={(role) =>
                          void page
                            .attempt(() => page.client.change('PATCH', `api/users/${user.id}`, { role }))
                            .then(load)
                        }
                      />
                    </td>
                    <td>
                      <RelativeTime ms={Date.parse(user.created_at)} />
                    </td>
                    <td>
                      <div class="row-actions">
                        <ActionButton
                          icon="trash"
                          label={`Remove ${visibleText(user.email)}`}
                          onClick={() =>
                            remove(
                              `Remove ${visibleText(user.email)}?`,
                              'They can’t sign in any more, and what they have open ends.',
                              `api/users/${user.id}`,
                            )
                          }
                        />
                      </div>
                    </td>
                  </tr>
                ))}
                {people.invites.map((invite) => (
                  <tr key={invite.id}>
                    <th scope="row">{invite.email ? visibleText(invite.email) : 'somebody'} (invited)</th>
                    <td>{invite.role ? ROLE_LABELS[invite.role] : groupsText(page, invite.groups)}</td>
                    <td>
                      until{' '}
                      {new Date(invite.expires_at).toLocaleDateString('en', {
                        day: 'numeric',
                        month: 'short',
                      })}
                    </td>
                    <td>
                      <div class="row-actions">
                        <ActionButton
                          icon="trash"
                          label={`Take back the invitation of ${visibleText(invite.email ?? 'somebody')}`}
                          onClick={() =>
                            remove(
                              'Take the invitation back?',
                              'Its link works no more.',
                              `api/invites/${invite.id}`,
                            )
                          }
                        />
                      </div>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
          <section class="card" aria-label="API keys">
            <header>
              <h3>API keys</h3>
            </header>
            {people.keys.length === 0 ? (
              <p class="place-empty">None. A program shows one as “Authorization: Bearer …”.</p>
            ) : (
              <table class="place-table">
                <tbody>
                  {people.keys.map((key) => (
                    <tr key={key.id}>
                      <th scope="row">{visibleText(key.name)}</th>
                      <td>
                        {KEY_SCOPE_LABELS[key.scope as keyof typeof KEY_SCOPE_LABELS] ?? key.scope}
                        {key.groups && ` in ${key.groups.map((id) => groupName(page, id)).join(', ')}`}
                      </td>
                      <td>
                        <RelativeTime ms={Date.parse(key.created_at)} />
                      </td>
                      <td>
                        <div class="row-actions">
                          <ActionButton
                            icon="trash"
                            label={`Remove the key ${visibleText(key.name)}`}
                            onClick={() =>
                              remove(
                                `Remove the key ${visibleText(key.name)}?`,
                                'Programs that show it are refused from now on.',
                                `api/keys/${key.id}`,
                              )
                            }
                          />
                        </div>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
          </section>
        </>
      )}
      {dialog === 'invite' && <InviteDialog page={page} onClose={closeDialog} />}
      {dialog === 'key' && <KeyDialog page={page} onClose={closeDialog} />}
      {question && <Question {...question} onClose={() => setQuestion(undefined)} />}
    </PlaceFrame>
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
      {Object.entries(ROLE_LABELS).map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  );
}

function InviteDialog({ page, onClose }: { page: ViewerPage; onClose: () => void }) {
  const email = useRef<HTMLInputElement>(null);
  const role = useRef<HTMLSelectElement>(null);
  const group = useRef<HTMLSelectElement>(null);
  const [link, setLink] = useState('');
  const [error, setError] = useState('');
  const send = async (): Promise<void> => {
    const roleName = role.current?.value ?? 'reader';
    const groupId = group.current?.value ?? '';
    const text = email.current?.value.trim();
    try {
      const invite = await page.client.change<InviteJson>('POST', 'api/invites', {
        ...(text && { email: text }),
        ...(groupId ? { groups: { [groupId]: roleName } } : { role: roleName }),
      });
      setLink(invite.url ?? '');
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    }
  };
  return (
    <Modal title="Invite somebody" onClose={onClose}>
      {link ? (
        <div class="time-form">
          <p>Send them this link; it works once, for a week.</p>
          <CopyField label="Link" value={link} page={page} />
        </div>
      ) : (
        <form
          class="time-form wide-labels"
          onSubmit={(event) => {
            event.preventDefault();
            void send();
          }}
        >
          <label>
            <span>For</span>
            <input ref={email} name="email" type="email" autocomplete="off" placeholder="zoe@example.com" />
          </label>
          <label>
            <span>Role</span>
            <select ref={role} name="role" class="plain-select">
              {Object.entries(ROLE_LABELS).map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          </label>
          <GroupSelect selectRef={group} page={page} />
          <FormError text={error} />
          <button type="submit">Make a link</button>
        </form>
      )}
    </Modal>
  );
}

function KeyDialog({ page, onClose }: { page: ViewerPage; onClose: () => void }) {
  const name = useRef<HTMLInputElement>(null);
  const scope = useRef<HTMLSelectElement>(null);
  const group = useRef<HTMLSelectElement>(null);
  const [key, setKey] = useState('');
  const [error, setError] = useState('');
  const send = async (): Promise<void> => {
    const groupId = group.current?.value ?? '';
    try {
      const made = await page.client.change<KeyJson>('POST', 'api/keys', {
        name: name.current?.value.trim(),
        scope: scope.current?.value,
        ...(groupId && { groups: [groupId] }),
      });
      setKey(made.key ?? '');
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    }
  };
  return (
    <Modal title="New API key" onClose={onClose}>
      {key ? (
        <div class="time-form">
          <p>It is shown this once.</p>
          <CopyField label="Key" value={key} page={page} />
        </div>
      ) : (
        <form
          class="time-form wide-labels"
          onSubmit={(event) => {
            event.preventDefault();
            void send();
          }}
        >
          <label>
            <span>What for</span>
            <input ref={name} name="name" autocomplete="off" required maxLength={100} />
          </label>
          <label>
            <span>May</span>
            <select ref={scope} name="scope" class="plain-select">
              {Object.entries(KEY_SCOPE_LABELS).map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          </label>
          <GroupSelect selectRef={group} page={page} />
          <FormError text={error} />
          <button type="submit">Make it</button>
        </form>
      )}
    </Modal>
  );
}

function GroupSelect({
  selectRef,
  page,
}: {
  selectRef: { current: HTMLSelectElement | null };
  page: ViewerPage;
}) {
  return (
    <label>
      <span>In</span>
      <select ref={selectRef} name="group" class="plain-select">
        <option value="">all groups</option>
        {(page.groups.value ?? []).map(({ id, name }) => (
          <option key={id} value={id}>
            {visibleText(name)}
          </option>
        ))}
      </select>
    </label>
  );
}

function groupName(page: ViewerPage, id: string): string {
  return visibleText(page.groups.value?.find((group) => group.id === id)?.name ?? 'a group that is gone');
}

function groupsText(page: ViewerPage, groups: Readonly<Record<string, RoleName>>): string {
  const texts = Object.entries(groups).map(([id, role]) => `${ROLE_LABELS[role]} in ${groupName(page, id)}`);
  return texts.join('; ') || 'nothing';
}
