import { useEffect, useState } from 'preact/hooks';
import { formatBytes, formatCount, formatNumber } from '../../../common/text/format-numbers.ts';
import { RelativeTime } from '../../addons/shared/relative-time.tsx';
import { visibleText } from '../../text/visible-text.ts';
import { Icon } from '../../view/icon.tsx';
import type { SenderAddresses, StreamGroupJson, StreamJson } from '../api/viewer-json.ts';
import { ALL_LINES } from '../lines/line-selection.ts';
import type { ViewerPage } from '../viewer-page.ts';
import { ActionButton, type Ask, CopyField, SettingsFrame, useQuestion } from './settings-frame.tsx';
import { Card, RowActions, SettingsTable } from './settings-table.tsx';

const REFRESH_MS = 5_000;

/** Changes a group or a stream, and reads all of them again. */
type Change = (method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) => Promise<void>;

/** Groups and their streams: who sends, and where to. */
export function StreamsPage({ page }: { page: ViewerPage }) {
  const [ask, question] = useQuestion();
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) void page.loadGroups();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const groups = page.groups.value;
  const isOwner = page.client.session.value?.user.role === 'owner';
  const askForGroup = (): void =>
    ask({
      title: 'New group',
      text: 'Streams that are looked at together: the apps of one product, or of one stage.',
      name: '',
      button: 'Make it',
      onAnswer: async (name) => {
        await page.client.change('POST', 'api/groups', { name });
        await page.loadGroups();
      },
    });
  return (
    <SettingsFrame
      title="Streams"
      hint="A stream is what one app or machine sends. It has an address of its own; streams of a group are searched as one."
      actions={
        isOwner && (
          <button type="button" class="main-button" onClick={askForGroup}>
            <Icon name="plus" /> New group
          </button>
        )
      }
    >
      {groups?.length === 0 && (
        <p class="settings-empty">
          {isOwner
            ? 'No group yet. Make one: its address takes the drains of all apps, and each gets a stream of its own.'
            : 'There is no group that you may see: ask an owner of this viewer.'}
        </p>
      )}
      {groups?.map((group) => (
        <GroupCard key={group.id} group={group} page={page} ask={ask} />
      ))}
      {question}
    </SettingsFrame>
  );
}

function GroupCard({ group, page, ask }: { group: StreamGroupJson; page: ViewerPage; ask: Ask }) {
  const [isOpen, setOpen] = useState(group.streams.length === 0);
  const isOwner = group.role === 'owner';
  const name = visibleText(group.name);
  const path = `api/groups/${encodeURIComponent(group.id)}`;
  const change: Change = async (method, at, body) => {
    await page.client.change(method, at, body);
    await page.loadGroups();
  };
  return (
    <Card
      label={`Group ${name}`}
      head={
        <>
          <h3>
            <button
              type="button"
              title="Its lines"
              onClick={() => void page.changeSelection({ ...ALL_LINES, group: group.id })}
            >
              {name}
            </button>
          </h3>
          {isOwner && (
            <GroupActions
              group={group}
              path={path}
              isOpen={isOpen}
              onOpen={() => setOpen(!isOpen)}
              ask={ask}
              change={change}
            />
          )}
        </>
      }
    >
      {isOpen && (
        <Addresses
          of={group}
          page={page}
          hint="For many apps at once: each drain that sends here gets a stream of its own."
          onRenew={() => askForNewToken(ask, change, path)}
        />
      )}
      {group.streams.length === 0 ? (
        <p class="settings-empty">No stream yet: it is made when something comes, or by hand.</p>
      ) : (
        <SettingsTable columns={['stream', 'lines', 'size', 'last line']} numbers={['lines', 'size']}>
          {group.streams.map((stream) => (
            <StreamRows
              key={stream.id}
              stream={stream}
              isOwner={isOwner}
              page={page}
              ask={ask}
              change={change}
            />
          ))}
        </SettingsTable>
      )}
    </Card>
  );
}

interface GroupActionsProps {
  readonly group: StreamGroupJson;
  readonly path: string;
  /** Are its addresses shown? */
  readonly isOpen: boolean;
  readonly onOpen: () => void;
  readonly ask: Ask;
  readonly change: Change;
}

function GroupActions({ group, path, isOpen, onOpen, ask, change }: GroupActionsProps) {
  const askForStream = (): void =>
    ask({
      title: `New stream in ${visibleText(group.name)}`,
      name: '',
      button: 'Make it',
      onAnswer: (text) => change('POST', `${path}/streams`, { name: text }),
    });
  return (
    <div class="row-actions">
      <button type="button" class="plain-button" aria-expanded={isOpen} onClick={onOpen}>
        <Icon name="link" /> Addresses
      </button>
      <button type="button" class="plain-button" onClick={askForStream}>
        <Icon name="plus" /> New stream
      </button>
      <RenameAndRemove
        name={group.name}
        loss={`Its ${formatCount(group.streams.length, 'stream')} and all their lines are gone for good; what was archived stays.`}
        path={path}
        ask={ask}
        change={change}
      />
    </div>
  );
}

function askForNewToken(ask: Ask, change: Change, path: string): void {
  ask({
    title: 'A new token?',
    text: 'What sends with the old one is refused from now on.',
    button: 'Make a new one',
    isDangerous: true,
    onAnswer: () => change('PATCH', path, { renew_token: true }),
  });
}

interface RenameAndRemoveProps {
  readonly name: string;
  /** What goes with it: a sentence. */
  readonly loss: string;
  readonly path: string;
  readonly ask: Ask;
  readonly change: Change;
}

/** What can be done with a group or a stream, once that is confirmed. */
function RenameAndRemove({ name, loss, path, ask, change }: RenameAndRemoveProps) {
  const shown = visibleText(name);
  return (
    <>
      <ActionButton
        icon="pencil"
        label={`Rename ${shown}`}
        onClick={() =>
          ask({
            title: `Rename ${shown}`,
            name,
            button: 'Rename',
            onAnswer: (text) => change('PATCH', path, { name: text }),
          })
        }
      />
      <ActionButton
        icon="trash"
        label={`Remove ${shown}`}
        onClick={() =>
          ask({
            title: `Remove ${shown}?`,
            text: loss,
            button: 'Remove it',
            isDangerous: true,
            onAnswer: () => change('DELETE', path),
          })
        }
      />
    </>
  );
}

interface StreamRowsProps {
  readonly stream: StreamJson;
  readonly isOwner: boolean;
  readonly page: ViewerPage;
  readonly ask: Ask;
  readonly change: Change;
}

function StreamRows({ stream, isOwner, page, ask, change }: StreamRowsProps) {
  const [isOpen, setOpen] = useState(false);
  const name = visibleText(stream.name);
  const path = `api/streams/${encodeURIComponent(stream.id)}`;
  return (
    <tbody>
      <tr>
        <th scope="row">
          <button
            type="button"
            title="Its lines"
            onClick={() => void page.changeSelection({ ...ALL_LINES, stream: stream.id })}
          >
            {name}
          </button>
        </th>
        <td class="number">{formatNumber(stream.lines)}</td>
        <td class="number">{formatBytes(stream.bytes)}</td>
        <td>{stream.lastAt ? <RelativeTime ms={Date.parse(stream.lastAt)} /> : 'none yet'}</td>
        <RowActions>
          {isOwner && (
            <>
              <ActionButton
                icon="link"
                label={`Addresses of ${name}`}
                isOpen={isOpen}
                onClick={() => setOpen(!isOpen)}
              />
              <RenameAndRemove
                name={stream.name}
                loss={`Its ${formatCount(stream.lines, 'line')} are gone for good; what was archived stays.`}
                path={path}
                ask={ask}
                change={change}
              />
            </>
          )}
        </RowActions>
      </tr>
      {isOpen && (
        <tr class="detail-row">
          <td colSpan={5}>
            <Addresses of={stream} page={page} onRenew={() => askForNewToken(ask, change, path)} />
          </td>
        </tr>
      )}
    </tbody>
  );
}

interface AddressesProps {
  readonly of: SenderAddresses;
  readonly page: ViewerPage;
  readonly hint?: string;
  readonly onRenew: () => void;
}

function Addresses({ of, page, hint, onRenew }: AddressesProps) {
  const { drain_url: url, syslog = {}, token } = of;
  return (
    <div class="addresses">
      {hint && <p class="hint">{hint}</p>}
      {url && <CopyField label="Drain" value={url} page={page} />}
      {url && <CopyField label="Tailrace" value={`tailrace drains:add ${url}`} page={page} />}
      {url && <CopyField label="Heroku" value={`heroku drains:add ${url}`} page={page} />}
      {Object.entries(syslog).map(([protocol, address]) => (
        <CopyField key={protocol} label={`syslog ${protocol}`} value={address} page={page} />
      ))}
      {token && <CopyField label="Token" value={token} page={page} />}
      {token && (
        <button type="button" class="link-button" onClick={onRenew}>
          Make a new token
        </button>
      )}
    </div>
  );
}
