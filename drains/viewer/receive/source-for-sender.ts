/** Lines that come with a group's token: of which of its streams they are. */
import type { LogSource } from '../../../src/logs/router/token-cache.ts';
import type { SenderHints, SourceForSender } from '../../../src/logs/sources/http/ingest-authorizer.ts';
import type { SenderName } from '../groups/group-index.ts';
import type { Groups } from '../groups/groups.ts';

const SENDER_CHARACTERS_MAX = 100;

interface TokenSources {
  lookupToken(token: string): LogSource | null | undefined;
  loadToken(token: string): Promise<LogSource | null>;
}

/**
 * A stream's own token says all. A group's is shared: what tells its senders apart is the name they were given (`?stream=`), or the token
 * of the drain that sends, which is of one app; without either, lines are of the group's own stream.
 */
export function sourceForSender(groups: Groups, router: TokenSources): SourceForSender {
  return async (logSource, hints) => {
    const group = groups.withToken(logSource.token);
    const sender = group && senderOf(hints);
    if (!sender) return logSource;
    const { token } = await groups.streamForSender(group, sender);
    const known = router.lookupToken(token);
    return (known === undefined ? await router.loadToken(token) : known) ?? logSource;
  };
}

function senderOf({ stream, drainToken }: SenderHints): SenderName | undefined {
  if (stream !== undefined && stream.trim() !== '')
    return { kind: 'senderName', text: stream.trim().slice(0, SENDER_CHARACTERS_MAX) };
  if (drainToken !== undefined && drainToken !== '')
    return { kind: 'drainToken', text: drainToken.slice(0, SENDER_CHARACTERS_MAX) };
  return undefined;
}
