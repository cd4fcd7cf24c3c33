/** What the page knows and does: the app and filters that were chosen, the reading, the line that is pointed at. */
import { signal } from '@preact/signals';
import { type Filters, isFiltered, NO_FILTERS, type Place, readPlace, writePlace } from './address.ts';
import { forgetKey, keepKey, takeKey } from './key.ts';
import { readPreferences } from './preferences.ts';
import { Api, type AppInfo, type DrainInfo, type DynoInfo, Refusal } from './stream/api.ts';
import type { Line } from './stream/line.ts';
import { Names } from './stream/names.ts';
import { Reading } from './stream/reading.ts';

/** How often dynos and drains are asked for, and the apps of a server that is away. */
const LOOK_MS = 4_000;
/** A line that was jumped to stands at this part of the visible height. */
const SHARE = 0.35;

export class Page {
  readonly preferences = readPreferences();
  readonly key = signal(takeKey());
  /** Why the key form is shown again, or ''. */
  readonly keyTrouble = signal('');
  readonly apps = signal<readonly AppInfo[] | undefined>(undefined);
  readonly dynos = signal<readonly DynoInfo[]>([]);
  readonly drains = signal<readonly DrainInfo[]>([]);
  readonly place = signal<Place>(readPlace(location.search));
  readonly reading = signal<Reading | undefined>(undefined);
  readonly names = signal(new Names());
  /** The position of the line that is pointed at; 0 for none. */
  readonly selected = signal(0);
  readonly expanded = signal<ReadonlySet<number>>(new Set());
  readonly overlay = signal<'' | 'help' | 'time'>('');
  /** A word about what was just done, or ''. */
  readonly notice = signal('');
  /** Does the server not answer? */
  readonly away = signal(false);
  private api = new Api(this.key.value);
  private noticeTimer: number | undefined;
  private share: number | undefined;
  private startListener = (): void => {};

  /** Does a dyno or a drain need somebody to look at it? */
  get isAlarming(): boolean {
    return (
      this.dynos.value.some(({ state }) => state === 'crashed') ||
      this.drains.value.some(({ delivery }) => delivery.state === 'retrying' || delivery.lost > 0)
    );
  }

  start(): void {
    addEventListener('popstate', () => void this.goTo(readPlace(location.search)));
    addEventListener('hashchange', () => {
      const before = this.key.value;
      const key = takeKey();
      if (key !== before) void this.useKey(key);
    });
    setInterval(() => void this.look(), LOOK_MS);
    document.addEventListener('visibilitychange', () => void this.look());
    if (this.key.value) void this.enter();
  }

  async useKey(key: string): Promise<void> {
    keepKey(key);
    this.key.value = key;
    this.keyTrouble.value = '';
    this.api = new Api(key);
    await this.enter();
  }

  async choose(app: string): Promise<void> {
    await this.goTo({ app, filters: NO_FILTERS, at: '' }, 'push');
  }

  async filter(change: Partial<Filters>, how: 'push' | 'replace' = 'push'): Promise<void> {
    const { app, filters } = this.place.value;
    await this.goTo({ app, filters: { ...filters, ...change }, at: '' }, how);
  }

  /** From a line that a filter found to everything around it; the browser's way back leads to the filter again. */
  async showInContext(line: Line): Promise<void> {
    this.remember({ ...this.place.value, at: String(line.at) }, 'replace');
    await this.goTo({ app: this.place.value.app, filters: NO_FILTERS, at: String(line.at) }, 'push');
  }

  async jump(ms: number): Promise<void> {
    const reading = this.reading.value;
    const at = await reading?.showTime(ms);
    if (at !== undefined) {
      this.share = SHARE;
      this.select(at);
    } else if (reading && reading.failure.value === '') this.say('There are no lines at that time.');
  }

  /** Points at a line: the address leads to it now. */
  select(at: number): void {
    this.reading.value?.hold();
    this.selected.value = at;
    this.remember({ ...this.place.value, at: String(at) }, 'replace');
  }

  async follow(): Promise<void> {
    this.selected.value = 0;
    if (this.place.value.at) this.remember({ ...this.place.value, at: '' }, 'replace');
    await this.reading.value?.follow();
  }

  /** Goes to the oldest line that is here. */
  toStart(): void {
    this.reading.value?.hold();
    this.startListener();
  }

  /** Calls `listener` for {@link toStart}, until the returned function is called. */
  onStart(listener: () => void): () => void {
    this.startListener = listener;
    return () => {
      this.startListener = () => {};
    };
  }

  /** Where on the screen the line that is pointed at should come to, once after a jump; else as little as needed moves. */
  takeShare(): number | undefined {
    const { share } = this;
    this.share = undefined;
    return share;
  }

  fold(at: number): void {
    const expanded = new Set(this.expanded.value);
    if (!expanded.delete(at)) expanded.add(at);
    this.expanded.value = expanded;
  }

  /** The address of a line, without the key. */
  linkTo(line: Line): string {
    return location.origin + location.pathname + writePlace({ ...this.place.value, at: String(line.at) });
  }

  async copy(text: string, what: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.say(`${what} copied`);
    } catch {
      this.say('The browser doesn’t let this page copy.');
    }
  }

  say(notice: string): void {
    this.notice.value = notice;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => {
      this.notice.value = '';
    }, 2_500);
  }

  retry(): void {
    void this.look();
    this.reading.value?.retry();
  }

  /** The key is good, or isn't; then the app that the address names, or the first one. */
  private async enter(): Promise<void> {
    const apps = await this.ask(() => this.api.apps());
    if (!apps) return;
    this.apps.value = apps;
    const place = this.place.value;
    const last = apps.find(({ name }) => name === this.preferences.app.value);
    const app = place.app || (last ?? apps[0])?.name || '';
    if (app) await this.goTo({ ...place, app }, 'replace');
  }

  private async goTo(place: Place, how?: 'push' | 'replace'): Promise<void> {
    const old = this.reading.value;
    const app = place.app || this.place.value.app;
    if (app !== this.place.value.app || !old) {
      this.names.value = new Names();
      this.dynos.value = [];
      this.drains.value = [];
    }
    this.remember({ ...place, app }, how);
    const at = place.at ? Number(place.at) : undefined;
    this.selected.value = at ?? 0;
    this.expanded.value = new Set();
    old?.close();
    const reading = new Reading(this.api, app, place.filters, (lines) => this.names.value.add(lines));
    if (at !== undefined) {
      this.share = SHARE;
      reading.hold();
    }
    this.reading.value = reading;
    this.preferences.app.value = app;
    document.title = `${app}${isFiltered(place.filters) ? ' (filtered)' : ''} · Tailrace`;
    void this.look();
    await reading.open(at);
    if (at !== undefined && !isFiltered(place.filters) && reading.lacks(at))
      this.say('That line is gone: the stream doesn’t reach back to it any more.');
  }

  private remember(place: Place, how?: 'push' | 'replace'): void {
    this.place.value = place;
    if (how === undefined) return;
    const address = location.pathname + writePlace(place);
    if (how === 'push' && address !== location.pathname + location.search)
      history.pushState(null, '', address);
    else history.replaceState(null, '', address);
  }

  private async look(): Promise<void> {
    if (document.hidden || !this.key.value) return;
    if (!this.apps.value || this.apps.value.length === 0) {
      await this.enter();
      return;
    }
    const { app } = this.place.value;
    const wasAway = this.away.value;
    const reading = this.reading.value;
    const notice = reading?.notice.value ?? '';
    const found = await this.ask(() =>
      Promise.all([this.api.dynos(app), this.api.drains(app), this.api.apps()]),
    );
    if (!found || app !== this.place.value.app) return;
    [this.dynos.value, this.drains.value, this.apps.value] = found;
    reading?.outlive(notice);
    this.names.value.add(found[0].map(({ name }) => ({ source: '', dyno: name })));
    if (wasAway) this.reading.value?.renew();
  }

  private async ask<T>(question: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await question();
      this.away.value = false;
      return answer;
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) {
        forgetKey();
        this.reading.value?.close();
        this.reading.value = undefined;
        this.apps.value = undefined;
        this.key.value = '';
        this.keyTrouble.value = 'The server doesn’t know this key.';
      } else if (!(error instanceof Refusal)) this.away.value = true;
      return undefined;
    }
  }
}
