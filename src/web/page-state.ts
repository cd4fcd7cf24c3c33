/** What the page knows and does: the chosen app and filters, the log view, the selected line. */
import { signal } from '@preact/signals';
import { clearApiKey, loadApiKey, storeApiKey } from './api-key.ts';
import { loadPreferences } from './preferences.ts';
import { ApiError, type AppJson, type DrainJson, type DynoJson, WebApiClient } from './stream/api-client.ts';
import { Facets } from './stream/facets.ts';
import { type Filters, isFiltered, NO_FILTERS } from './stream/filters.ts';
import type { Line } from './stream/line.ts';
import { LogView } from './stream/log-view.ts';
import { hasRegex, searchFault } from './stream/search-expression.ts';
import { visibleText } from './text/visible-text.ts';
import type { LineListHost } from './view/list/list-host.ts';
import { formatViewLocation, parseViewLocation, type ViewLocation } from './view-location.ts';

/** How often dynos and drains are requested, and the apps of a server that is unreachable. */
const REFRESH_MS = 4_000;
/** A line that was jumped to stands at this part of the visible height. */
const JUMP_SCROLL_FRACTION = 0.35;

export class PageState implements LineListHost {
  readonly preferences = loadPreferences();
  readonly key = signal(loadApiKey());
  /** Why the key form is shown again, or ''. */
  readonly keyError = signal('');
  readonly apps = signal<readonly AppJson[] | undefined>(undefined);
  readonly dynos = signal<readonly DynoJson[]>([]);
  readonly drains = signal<readonly DrainJson[]>([]);
  readonly viewLocation = signal<ViewLocation>(parseViewLocation(location.search));
  readonly logView = signal<LogView | undefined>(undefined);
  readonly facets = signal(new Facets());
  /** The position of the selected line; 0 for none. */
  readonly selectedPosition = signal(0);
  readonly expanded = signal<ReadonlySet<number>>(new Set());
  readonly overlay = signal<'' | 'help' | 'time'>('');
  /** What was just done, shown shortly; or ''. */
  readonly notice = signal('');
  /** Why what is in the search box can't be searched for, or ''. */
  readonly searchFault = signal('');
  /** Does the server not answer? */
  readonly unreachable = signal(false);
  private api = new WebApiClient(this.key.value);
  private noticeTimer: number | undefined;
  private scrollFraction: number | undefined;
  /** The search that was wanted last: one that the server has checked too late counts no more. */
  private wantedSearch = '';
  private scrollToStartListener = (): void => {};

  /** Does a dyno or a drain need somebody to look at it? */
  get needsAttention(): boolean {
    return (
      this.dynos.value.some(({ state }) => state === 'crashed') ||
      this.drains.value.some(({ delivery }) => delivery.state === 'retrying' || delivery.lost > 0)
    );
  }

  start(): void {
    addEventListener('popstate', () => void this.navigate(parseViewLocation(location.search)));
    addEventListener('hashchange', () => {
      const before = this.key.value;
      const key = loadApiKey();
      if (key !== before) void this.signIn(key);
    });
    setInterval(() => void this.refresh(), REFRESH_MS);
    document.addEventListener('visibilitychange', () => void this.refresh());
    if (this.key.value) void this.loadApps();
  }

  async signIn(key: string): Promise<void> {
    storeApiKey(key);
    this.key.value = key;
    this.keyError.value = '';
    this.api = new WebApiClient(key);
    await this.loadApps();
  }

  async selectApp(app: string): Promise<void> {
    await this.navigate({ app, filters: NO_FILTERS, at: '' }, 'push');
  }

  async changeFilters(change: Partial<Filters>, historyAction: 'push' | 'replace' = 'push'): Promise<void> {
    const { app, filters } = this.viewLocation.value;
    await this.navigate({ app, filters: { ...filters, ...change }, at: '' }, historyAction);
  }

  /** Searches for what is in the search box. One that can't be read, or isn't finished, leaves the lines that are shown as they are. */
  async search(q: string): Promise<void> {
    this.wantedSearch = q;
    const fault = searchFault(q) || (hasRegex(q) ? await this.serversFault(q) : '');
    if (this.wantedSearch !== q) return;
    this.searchFault.value = fault;
    if (fault === '' && q !== this.viewLocation.value.filters.q) await this.changeFilters({ q }, 'replace');
  }

  /** Are there lines that the filters don't let through? */
  get hasHiddenLines(): boolean {
    return isFiltered(this.viewLocation.value.filters);
  }

  /** A click beside a panel that covers the lines closes it. */
  onListClick(): boolean {
    const { panel } = this.preferences;
    if (!this.preferences.isPanelOverlay() || !panel.value) return false;
    panel.value = false;
    return true;
  }

  showOnlyOrigin({ source, dyno }: Line): void {
    void this.changeFilters({ source, dyno });
  }

  searchFor(q: string): void {
    void this.changeFilters({ q });
  }

  /** From a line that a filter found to everything around it; the browser's way back leads to the filter again. */
  async showInContext(line: Line): Promise<void> {
    this.updateAddressBar({ ...this.viewLocation.value, at: String(line.at) }, 'replace');
    await this.navigate(
      { app: this.viewLocation.value.app, filters: NO_FILTERS, at: String(line.at) },
      'push',
    );
  }

  async jumpToTime(ms: number): Promise<void> {
    const logView = this.logView.value;
    const at = await logView?.showTime(ms);
    if (at !== undefined) {
      this.scrollFraction = JUMP_SCROLL_FRACTION;
      this.selectLine(at);
    } else if (logView && logView.error.value === '') this.showNotice('There are no lines at that time.');
  }

  /** Selects a line: the address leads to it now. */
  selectLine(at: number): void {
    this.logView.value?.pause();
    this.selectedPosition.value = at;
    this.updateAddressBar({ ...this.viewLocation.value, at: String(at) }, 'replace');
  }

  async follow(): Promise<void> {
    this.selectedPosition.value = 0;
    if (this.viewLocation.value.at) this.updateAddressBar({ ...this.viewLocation.value, at: '' }, 'replace');
    await this.logView.value?.follow();
  }

  /** Goes to the oldest line that is here. */
  scrollToStart(): void {
    this.logView.value?.pause();
    this.scrollToStartListener();
  }

  /** Calls `listener` for {@link scrollToStart}, until the returned function is called. */
  onScrollToStart(listener: () => void): () => void {
    this.scrollToStartListener = listener;
    return () => {
      this.scrollToStartListener = () => {};
    };
  }

  /** Where on the screen the selected line should come to, once after a jump; else as little as needed moves. */
  takeScrollFraction(): number | undefined {
    const { scrollFraction } = this;
    this.scrollFraction = undefined;
    return scrollFraction;
  }

  toggleExpanded(at: number): void {
    const expanded = new Set(this.expanded.value);
    if (!expanded.delete(at)) expanded.add(at);
    this.expanded.value = expanded;
  }

  /** The address of a line, without the key. */
  linkTo(line: Line): string {
    return (
      location.origin +
      location.pathname +
      formatViewLocation({ ...this.viewLocation.value, at: String(line.at) })
    );
  }

  async copyToClipboard(text: string, label: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.showNotice(`${label} copied`);
    } catch {
      this.showNotice('The browser doesn’t let this page copy.');
    }
  }

  showNotice(notice: string): void {
    this.notice.value = notice;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => {
      this.notice.value = '';
    }, 2_500);
  }

  retry(): void {
    void this.refresh();
    this.logView.value?.retry();
  }

  /** The key is good, or isn't; then the app that the address names, or the first one. */
  private async loadApps(): Promise<void> {
    const apps = await this.request(() => this.api.listApps());
    if (!apps) return;
    this.apps.value = apps;
    const viewLocation = this.viewLocation.value;
    const last = apps.find(({ name }) => name === this.preferences.app.value);
    const app = viewLocation.app || (last ?? apps[0])?.name || '';
    if (app) await this.navigate({ ...viewLocation, app }, 'replace');
  }

  /** What the server says against a search, or ''. */
  private async serversFault(q: string): Promise<string> {
    try {
      await this.api.checkSearch(this.viewLocation.value.app, q);
      return '';
    } catch (error) {
      return error instanceof ApiError
        ? error.message
        : 'The server doesn’t answer: search again when it is back.';
    }
  }

  private async navigate(target: ViewLocation, historyAction?: 'push' | 'replace'): Promise<void> {
    const previousView = this.logView.value;
    const app = target.app || this.viewLocation.value.app;
    if (app !== this.viewLocation.value.app || !previousView) {
      this.facets.value = new Facets();
      this.dynos.value = [];
      this.drains.value = [];
    }
    this.updateAddressBar({ ...target, app }, historyAction);
    const at = target.at ? Number(target.at) : undefined;
    this.selectedPosition.value = at ?? 0;
    this.expanded.value = new Set();
    this.wantedSearch = target.filters.q;
    this.searchFault.value = searchFault(target.filters.q);
    previousView?.close();
    const logView = new LogView(this.api, app, target.filters, (lines) => this.facets.value.add(lines));
    if (at !== undefined) {
      this.scrollFraction = JUMP_SCROLL_FRACTION;
      logView.pause();
    }
    this.logView.value = logView;
    this.preferences.app.value = app;
    document.title = `${visibleText(app)}${isFiltered(target.filters) ? ' (filtered)' : ''} · Tailrace`;
    void this.refresh();
    await logView.open(at);
    if (at !== undefined && !isFiltered(target.filters) && logView.isMissing(at))
      this.showNotice('That line is gone: the stream doesn’t reach back to it any more.');
  }

  private updateAddressBar(viewLocation: ViewLocation, historyAction?: 'push' | 'replace'): void {
    this.viewLocation.value = viewLocation;
    if (historyAction === undefined) return;
    const address = location.pathname + formatViewLocation(viewLocation);
    if (historyAction === 'push' && address !== location.pathname + location.search)
      history.pushState(null, '', address);
    else history.replaceState(null, '', address);
  }

  private async refresh(): Promise<void> {
    if (document.hidden || !this.key.value) return;
    if (!this.apps.value || this.apps.value.length === 0) {
      await this.loadApps();
      return;
    }
    const { app } = this.viewLocation.value;
    const wasUnreachable = this.unreachable.value;
    const logView = this.logView.value;
    const notice = logView?.notice.value ?? '';
    const responses = await this.request(() =>
      Promise.all([this.api.listDynos(app), this.api.listDrains(app), this.api.listApps()]),
    );
    if (!responses || app !== this.viewLocation.value.app) return;
    [this.dynos.value, this.drains.value, this.apps.value] = responses;
    logView?.dismissNotice(notice);
    this.facets.value.add(responses[0].map(({ name }) => ({ source: '', dyno: name })));
    if (wasUnreachable) this.logView.value?.reconnect();
  }

  private async request<T>(send: () => Promise<T>): Promise<T | undefined> {
    try {
      const response = await send();
      this.unreachable.value = false;
      return response;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        clearApiKey();
        this.logView.value?.close();
        this.logView.value = undefined;
        this.apps.value = undefined;
        this.key.value = '';
        this.keyError.value = 'The server doesn’t know this key.';
      } else if (!(error instanceof ApiError)) this.unreachable.value = true;
      return undefined;
    }
  }
}
