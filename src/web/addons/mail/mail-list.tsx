import { visibleText } from '../../text/visible-text.ts';
import { Icon, Logo } from '../../view/icon.tsx';
import { RelativeTime } from '../shared/relative-time.tsx';
import type { InboxState } from './inbox-state.ts';
import type { MailJson } from './mail-json.ts';

/** All mails, or those that were searched for, newest first. */
export function MailList({ inbox }: { inbox: InboxState }) {
  const mails = inbox.mails.value;
  if (!mails) return null;
  if (mails.length === 0) return <NoMails inbox={inbox} />;
  return (
    <nav class="mails" aria-label="Mails">
      <ul>
        {mails.map((mail) => (
          <MailRow key={mail.id} mail={mail} inbox={inbox} />
        ))}
      </ul>
    </nav>
  );
}

function MailRow({ mail, inbox }: { mail: MailJson; inbox: InboxState }) {
  const isSelected = inbox.selectedId.value === mail.id;
  return (
    <li data-unread={!mail.read} data-selected={isSelected}>
      <button
        type="button"
        aria-current={isSelected ? 'true' : undefined}
        onClick={() => void inbox.open(mail.id)}
      >
        <span class="mail-to">
          {!mail.read && <i class="unread-dot" role="img" aria-label="unread" />}
          <span>{visibleText(recipientsOf(mail))}</span>
        </span>
        <RelativeTime ms={Date.parse(mail.received_at)} />
        <span class="mail-subject">{visibleText(mail.subject) || <em>no subject</em>}</span>
        {mail.content_type === 'multipart/mixed' && <Icon name="attachment" />}
        <span class="mail-from">{visibleText(mail.from || mail.envelope.from) || 'no sender'}</span>
      </button>
    </li>
  );
}

/** Whom it goes to: who sends is the app, mostly. */
export function recipientsOf({ to, envelope }: MailJson): string {
  return to || envelope.to.join(', ') || 'nobody';
}

function NoMails({ inbox }: { inbox: InboxState }) {
  return (
    <div class="empty-state">
      <Logo />
      {inbox.query.value ? (
        <>
          <h2>No mail matches</h2>
          <p>Senders, recipients, subjects and message ids were looked through.</p>
          <button type="button" onClick={() => void inbox.search('')}>
            Show all mails
          </button>
        </>
      ) : (
        <>
          <h2>No mail yet</h2>
          <p>
            What the app sends shows up here, and goes nowhere else. Its config vars have the server, the port
            and the login:
          </p>
          <pre>
            <b>$</b> tailrace config
          </pre>
        </>
      )}
    </div>
  );
}
