/** What the page of errors knows and does: the list, the opened error, one of its events. */

import { type Signal, signal } from '@preact/signals';
import { errorMessage } from '../../../common/text/error-message.ts';
import { loadTheme } from '../../theme.ts';
import { type LiveState, listenToEvents } from '../shared/live-events.ts';
import { getFromService, requestService, ServiceError } from '../shared/service-client.ts';
import type {
  EventJson,
  GroupJson,
  GroupListJson,
  GroupSortJson,
  GroupStatusJson,
  SummaryJson,
} from './errors-json.ts';

export interface GroupFilter {
  readonly status: GroupStatusJson | 'all';
  readonly sort: GroupSortJson;
  readonly query: string;
}

/** Changes that come at the same time are read at once. */
const REFRESH_INTERVAL_MS = 300;
const LIST_MAX = 500;

export class ErrorsState {
  readonly theme = loadTheme();
  readonly summary = signal<SummaryJson | undefined>(undefined);
  /** Undefined before they were read. */
  readonly groups = signal<readonly GroupJson[] | undefined>(undefined);
  /** Of the filter, also those that aren't in the list. */
  readonly total = signal(0);
  readonly filter = signal<GroupFilter>({ status: 'unresolved', sort: 'last_seen', query: '' });
  /** The opened error; its address ends with it. */
  readonly selectedId = signal('');
  readonly group = signal<GroupJson | undefined>(undefined);
  readonly event = signal<EventJson | undefined>(undefined);
  readonly showsAllFrames = signal(false);
  readonly overlay = signal<'' | 'help' | 'delete'>('');
  readonly error = signal('');
  readonly live: Signal<LiveState>;
  private refreshTimer: number | undefined;
  private lastLoad: Promise<unknown> = Promise.resolve();
  /** Isn't asked for any more. */
  private deletedId = '';

  constructor() {
    addEventListener('hashchange', () => this.openAddress());
    this.openAddress();
    this.live = listenToEvents('api/live', 'api/summary', {
      onOpen: () => void this.refresh(),
      onEvent: () => {
        this.refreshTimer ??= setTimeout(() => void this.refresh(), REFRESH_INTERVAL_MS);
      },
    });
  }

  /** Changes some of the filter, and reads the groups anew. */
  changeFilter(change: Partial<GroupFilter>): void {
    this.filter.value = { ...this.filter.value, ...change };
    void this.refresh();
  }

  open(id: string): void {
    location.hash = id;
  }

  close(): void {
    location.hash = '';
  }

  /** Opens the error that is so many further down the list. */
  move(by: number): void {
    const groups = this.groups.value ?? [];
    const index = groups.findIndex(({ id }) => id === this.selectedId.value);
    const next = groups[index === -1 ? 0 : Math.max(0, Math.min(groups.length - 1, index + by))];
    if (next) this.open(next.id);
  }

  /** Goes to the event before or behind the one that is shown. */
  async showNeighbor(which: 'previous' | 'next'): Promise<void> {
    const number = this.event.value?.[which];
    if (number !== null && number !== undefined)
      await this.try(() => this.load(this.loadEvent(String(number))));
  }

  async showEvent(which: 'oldest' | 'latest'): Promise<void> {
    await this.try(() => this.load(this.loadEvent(which)));
  }

  /** Resolved, or unresolved if it was; ignored likewise. */
  async toggleStatus(status: 'resolved' | 'ignored'): Promise<void> {
    const { value: group } = this.group;
    if (!group) return;
    const wanted: GroupStatusJson = group.status === status ? 'unresolved' : status;
    await this.try(async () => {
      const answer = await requestService(`api/groups/${group.id}`, 'PATCH', { status: wanted });
      const changed = (await answer.json()) as GroupJson;
      if (this.selectedId.value === group.id) this.group.value = changed;
      await this.loadList();
    });
  }

  askToDelete(): void {
    if (this.group.value) this.overlay.value = 'delete';
  }

  /** Deletes the opened error with all its events, and opens the one that takes its place. */
  async delete(): Promise<void> {
    this.overlay.value = '';
    const { value: id } = this.selectedId;
    const index = this.groups.value?.findIndex((group) => group.id === id) ?? -1;
    await this.try(async () => {
      this.deletedId = id;
      try {
        // What asks for it doesn't come behind what deletes it.
        await this.lastLoad;
        await requestService(`api/groups/${id}`, 'DELETE');
      } catch (error) {
        this.deletedId = '';
        throw error;
      }
      await this.loadList();
      const left = this.groups.value ?? [];
      const next = index === -1 ? undefined : left[Math.min(index, left.length - 1)];
      if (next) this.open(next.id);
      else this.close();
    });
  }

  private openAddress(): void {
    const id = /^#([0-9a-f]{32})$/.exec(location.hash)?.[1] ?? '';
    if (id === this.selectedId.value) return;
    this.selectedId.value = id;
    this.group.value = this.groups.value?.find((group) => group.id === id);
    this.event.value = undefined;
    if (id) void this.try(() => this.load(this.loadGroup()));
  }

  private async refresh(): Promise<void> {
    clearTimeout(this.refreshTimer);
    this.refreshTimer = undefined;
    await this.try(async () => {
      await Promise.all([this.loadList(), this.selectedId.value ? this.load(this.loadGroup()) : undefined]);
    });
  }

  private async loadList(): Promise<void> {
    const { value: filter } = this.filter;
    const query = new URLSearchParams({
      status: filter.status,
      sort: filter.sort,
      q: filter.query,
      limit: String(LIST_MAX),
    });
    const [list, summary] = await Promise.all([
      getFromService<GroupListJson>(`api/groups?${query}`),
      getFromService<SummaryJson>('api/summary'),
    ]);
    // It was changed meanwhile.
    if (filter !== this.filter.value) return;
    this.groups.value = list.groups;
    this.total.value = list.total;
    this.summary.value = summary;
    const { unresolved } = summary.groups;
    document.title = unresolved > 0 ? `(${unresolved}) Errors` : 'Errors';
  }

  /** What is to be deleted waits for it. */
  private load(loading: Promise<void>): Promise<void> {
    const before = this.lastLoad;
    this.lastLoad = loading.then(
      () => before,
      () => before,
    );
    return loading;
  }

  private async loadGroup(): Promise<void> {
    const { value: id } = this.selectedId;
    if (id === this.deletedId) return;
    const group = await getFromService<GroupJson>(`api/groups/${id}`);
    if (id !== this.selectedId.value) return;
    this.group.value = group;
    if (id === this.deletedId) return;
    const { value: shown } = this.event;
    if (group.kept_events > 0) await this.loadEvent(shown ? String(shown.number) : 'latest');
  }

  private async loadEvent(which: string): Promise<void> {
    const { value: id } = this.selectedId;
    const get = (name: string): Promise<EventJson> =>
      getFromService<EventJson>(`api/groups/${id}/events/${name}`);
    const event = await get(which).catch((error: unknown) => {
      // It had to go for newer ones.
      if (error instanceof ServiceError && error.status === 404) return get('latest');
      throw error;
    });
    if (id === this.selectedId.value) this.event.value = event;
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
