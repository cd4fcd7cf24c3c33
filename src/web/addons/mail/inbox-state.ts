/** What the inbox knows and does: the list, the opened mail, what is searched for. */

import { computed, type Signal, signal } from '@preact/signals';
import { errorMessage } from '../../../common/text/error-message.ts';
import { loadTheme } from '../../theme.ts';
import { type LiveState, listenToEvents } from '../shared/live-events.ts';
import { getFromService, requestService } from '../shared/service-client.ts';
import type { MailJson, MailListJson, MailStatusJson, OpenedMailJson } from './mail-json.ts';

export type MailTab = 'html' | 'text' | 'links' | 'headers' | 'source';

/** Mails that come at the same time are read at once. */
const REFRESH_INTERVAL_MS = 300;
const LIST_MAX = 1_000;
/** Of a source, this much is shown. */
const SOURCE_LENGTH_MAX = 300_000;

export class InboxState {
  readonly theme = loadTheme();
  /** Newest first; undefined before they were read. */
  readonly mails = signal<readonly MailJson[] | undefined>(undefined);
  readonly status = signal<MailStatusJson | undefined>(undefined);
  readonly query = signal('');
  readonly selectedId = signal('');
  readonly opened = signal<OpenedMailJson | undefined>(undefined);
  readonly source = signal<string | undefined>(undefined);
  readonly overlay = signal<'' | 'help' | 'delete-all'>('');
  readonly error = signal('');
  /** What somebody has chosen: kept from one mail to the next that has it. */
  private readonly wantedTab = signal<MailTab>('html');
  /** The tab that is shown. */
  readonly tab = computed<MailTab>(() => {
    const mail = this.opened.value;
    const wanted = this.wantedTab.value;
    if (mail && wanted === 'html' && mail.html === null) return 'text';
    return wanted === 'links' && mail?.links.length === 0 ? 'text' : wanted;
  });
  readonly live: Signal<LiveState>;
  private refreshTimer: number | undefined;
  private lastWrite: Promise<unknown> = Promise.resolve();

  constructor() {
    this.live = listenToEvents('api/events', 'api/status', {
      onOpen: () => void this.refresh(),
      onEvent: () => {
        this.refreshTimer ??= setTimeout(() => void this.refresh(), REFRESH_INTERVAL_MS);
      },
    });
  }

  async search(query: string): Promise<void> {
    this.query.value = query;
    await this.refresh();
  }

  /** Opens a mail: it is read then. */
  async open(id: string): Promise<void> {
    this.selectedId.value = id;
    this.source.value = undefined;
    if (this.opened.value?.id !== id) this.opened.value = undefined;
    await this.try(async () => {
      const opened = await getFromService<OpenedMailJson>(`api/messages/${id}`);
      if (this.selectedId.value !== id) return;
      this.opened.value = opened;
      if (this.tab.value === 'source') await this.loadSource();
      if (!opened.read) await this.change(id, true);
    });
  }

  close(): void {
    this.selectedId.value = '';
    this.opened.value = undefined;
  }

  /** Opens the mail that is so many further down the list. */
  move(by: number): void {
    const mails = this.mails.value ?? [];
    const index = mails.findIndex(({ id }) => id === this.selectedId.value);
    const next = mails[index === -1 ? 0 : Math.max(0, Math.min(mails.length - 1, index + by))];
    if (next && next.id !== this.selectedId.value) void this.open(next.id);
  }

  /** Also of mails that are opened later, which may have no such tab. The source is read when it is asked for. */
  showTab(tab: MailTab): void {
    this.wantedTab.value = tab;
    if (tab === 'source' && this.source.value === undefined) void this.try(() => this.loadSource());
  }

  async markUnread(): Promise<void> {
    const { value: id } = this.selectedId;
    if (id) await this.try(() => this.change(id, false));
  }

  /** Deletes the opened mail, and opens the one that takes its place. */
  async delete(): Promise<void> {
    const { value: id } = this.selectedId;
    const mails = this.mails.value ?? [];
    const index = mails.findIndex((mail) => mail.id === id);
    if (!id) return;
    await this.try(async () => {
      await this.write(`api/messages/${id}`, 'DELETE');
      // It may have been read anew meanwhile.
      const left = (this.mails.value ?? []).filter((mail) => mail.id !== id);
      this.mails.value = left;
      const next = left[Math.min(index, left.length - 1)];
      if (next) await this.open(next.id);
      else this.close();
    });
  }

  async deleteAll(): Promise<void> {
    this.overlay.value = '';
    await this.try(async () => {
      await this.write('api/messages', 'DELETE');
      this.close();
      await this.refresh();
    });
  }

  private async refresh(): Promise<void> {
    clearTimeout(this.refreshTimer);
    this.refreshTimer = undefined;
    const { value: query } = this.query;
    await this.try(async () => {
      const [list, status] = await Promise.all([
        getFromService<MailListJson>(`api/messages?limit=${LIST_MAX}&q=${encodeURIComponent(query)}`),
        getFromService<MailStatusJson>('api/status'),
      ]);
      // Somebody has typed on.
      if (query !== this.query.value) return;
      this.mails.value = list.messages;
      this.status.value = status;
      document.title = status.unread > 0 ? `(${status.unread}) Mail` : 'Mail';
    });
  }

  private async change(id: string, read: boolean): Promise<void> {
    await this.write(`api/messages/${id}`, 'PATCH', { read });
    this.mails.value = this.mails.value?.map((mail) => (mail.id === id ? { ...mail, read } : mail));
  }

  /** One after the other: what marks a mail as read doesn't come behind what deletes it. */
  private write(path: string, method: string, body?: object): Promise<Response> {
    const request = (): Promise<Response> => requestService(path, method, body);
    const written = this.lastWrite.then(request, request);
    this.lastWrite = written;
    return written;
  }

  private async loadSource(): Promise<void> {
    const { value: id } = this.selectedId;
    const response = await requestService(`api/messages/${id}/raw`);
    const text = await response.text();
    if (id !== this.selectedId.value) return;
    this.source.value =
      text.length > SOURCE_LENGTH_MAX
        ? `${text.slice(0, SOURCE_LENGTH_MAX)}\n… the rest is in the downloaded file.`
        : text;
  }

  private async try(action: () => Promise<void>): Promise<void> {
    try {
      await action();
      this.error.value = '';
    } catch (error) {
      this.error.value = errorMessage(error);
    }
  }
}
