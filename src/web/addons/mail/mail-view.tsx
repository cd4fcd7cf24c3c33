import { useRef, useState } from 'preact/hooks';
import { formatBytes } from '../../../common/text/format-numbers.ts';
import { formatDate, formatTimeOfDay } from '../../text/format.ts';
import { visibleText } from '../../text/visible-text.ts';
import { DetailRow } from '../../view/detail-row.tsx';
import { Icon } from '../../view/icon.tsx';
import type { InboxState, MailTab } from './inbox-state.ts';
import type { MailJson, OpenedMailJson } from './mail-json.ts';
import { recipientsOf } from './mail-list.tsx';

/** The opened mail. */
export function MailView({ inbox }: { inbox: InboxState }) {
  const id = inbox.selectedId.value;
  const mail = inbox.opened.value ?? inbox.mails.value?.find((one) => one.id === id);
  if (!id || !mail)
    return (
      <article class="mail" aria-label="Mail" data-empty="true">
        <p class="hint">{inbox.mails.value?.length ? 'Choose a mail to read it.' : ''}</p>
      </article>
    );
  return (
    <article class="mail" aria-label="Mail">
      <MailHeader mail={mail} inbox={inbox} />
      {inbox.opened.value && <MailBody mail={inbox.opened.value} inbox={inbox} />}
    </article>
  );
}

function MailHeader({ mail, inbox }: { mail: MailJson; inbox: InboxState }) {
  const receivedMs = Date.parse(mail.received_at);
  const named = `${mail.to} ${mail.cc}`.toLowerCase();
  const blind =
    mail.to === '' ? [] : mail.envelope.to.filter((address) => !named.includes(address.toLowerCase()));
  return (
    <header class="mail-header">
      <div class="mail-actions">
        <button
          type="button"
          class="toolbar-button back-button"
          aria-label="Back to the list"
          onClick={() => inbox.close()}
        >
          <Icon name="expand" />
        </button>
        <h2>{visibleText(mail.subject) || <em>no subject</em>}</h2>
        <button
          type="button"
          class="toolbar-button"
          title="Mark as unread (u)"
          aria-label="Mark as unread"
          onClick={() => void inbox.markUnread()}
        >
          <Icon name="unread" />
        </button>
        <a
          class="toolbar-button"
          href={`api/messages/${mail.id}/raw`}
          download={`${mail.id}.eml`}
          title="Download the source"
          aria-label="Download the source"
        >
          <Icon name="down" />
        </a>
        <button
          type="button"
          class="toolbar-button"
          title="Delete (d)"
          aria-label="Delete"
          onClick={() => void inbox.delete()}
        >
          <Icon name="trash" />
        </button>
      </div>
      <dl class="mail-fields">
        <DetailRow name="From" value={mail.from || mail.envelope.from || 'nobody'} />
        <DetailRow name="To" value={recipientsOf(mail)} />
        {mail.cc && <DetailRow name="Cc" value={mail.cc} />}
        {blind.length > 0 && <DetailRow name="Bcc" value={blind.join(', ')} />}
        <DetailRow
          name="Received"
          value={`${formatDate(receivedMs)}, ${formatTimeOfDay(receivedMs)} · ${formatBytes(mail.size)}`}
        />
      </dl>
    </header>
  );
}

function MailBody({ mail, inbox }: { mail: OpenedMailJson; inbox: InboxState }) {
  const tab = inbox.tab.value;
  const tabs: [MailTab, string][] = [
    ...(mail.html === null ? [] : ([['html', 'HTML']] as [MailTab, string][])),
    ['text', 'Text'],
    ...(mail.links.length === 0 ? [] : ([['links', `Links ${mail.links.length}`]] as [MailTab, string][])),
    ['headers', 'Headers'],
    ['source', 'Source'],
  ];
  return (
    <>
      {mail.problem && (
        <p class="mail-problem" role="alert">
          {visibleText(mail.problem)}
        </p>
      )}
      <Attachments mail={mail} />
      <div class="tabs" role="tablist" aria-label="Parts of the mail">
        {tabs.map(([name, label]) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            aria-selected={tab === name}
            aria-controls="tab-panel"
            onClick={() => inbox.showTab(name)}
          >
            {label}
          </button>
        ))}
      </div>
      <section class="mail-body" id="tab-panel" role="tabpanel" aria-labelledby={`tab-${tab}`} data-tab={tab}>
        <TabContent mail={mail} tab={tab} source={inbox.source.value} />
      </section>
    </>
  );
}

function TabContent({
  mail,
  tab,
  source,
}: {
  mail: OpenedMailJson;
  tab: MailTab;
  source: string | undefined;
}) {
  switch (tab) {
    case 'html':
      return (
        <>
          <p class="mail-note">
            {mail.has_remote_content
              ? 'Images and styles from other servers are not loaded. '
              : 'Nothing in it runs or loads. '}
            Its links are not followed here{mail.links.length > 0 ? ': see Links' : ''}.
          </p>
          <MailFrame key={mail.id} id={mail.id} />
        </>
      );
    case 'text':
      return mail.text ? (
        <pre class="mail-text">{visibleText(mail.text)}</pre>
      ) : (
        <p class="hint">This mail has no plain text.</p>
      );
    case 'links':
      return (
        <ul class="mail-links">
          {mail.links.map((link) => (
            <li key={link}>
              <a href={link} target="_blank" rel="noopener noreferrer">
                {visibleText(link)}
              </a>
            </li>
          ))}
        </ul>
      );
    case 'headers':
      return (
        <table class="mail-headers">
          <tbody>
            {mail.headers.map(([name, value], i) => (
              <tr key={i}>
                <th scope="row">{visibleText(name)}</th>
                <td>{visibleText(value.replaceAll('\r', ''))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      );
    case 'source':
      return <pre class="mail-source">{visibleText(source?.replaceAll('\r\n', '\n') ?? '')}</pre>;
  }
}

/** A link that was followed leads to nothing, since no other address may be framed: the mail is shown again. */
function MailFrame({ id }: { id: string }) {
  const [version, setVersion] = useState(0);
  const loads = useRef(0);
  return (
    <iframe
      key={version}
      title="The mail's HTML"
      sandbox=""
      referrerpolicy="no-referrer"
      src={`api/messages/${id}/html`}
      onLoad={() => {
        loads.current += 1;
        if (loads.current === 1) return;
        loads.current = 0;
        setVersion(version + 1);
      }}
    />
  );
}

function Attachments({ mail }: { mail: OpenedMailJson }) {
  if (mail.attachments.length === 0) return null;
  return (
    <ul class="attachments" aria-label="Attachments">
      {mail.attachments.map(({ number, name, size, type }) => (
        <li key={number}>
          <a
            href={`api/messages/${mail.id}/attachments/${number}`}
            download={name || `attachment-${number}`}
            title={visibleText(type)}
          >
            <Icon name="attachment" />
            <span>{visibleText(name) || `attachment ${number + 1}`}</span>
            <small>{formatBytes(size)}</small>
          </a>
        </li>
      ))}
    </ul>
  );
}
