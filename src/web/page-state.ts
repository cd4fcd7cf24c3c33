/** What the page knows and does: the chosen app and filters, the log view, the selected line. */

import { batch, computed, signal } from '@preact/signals';
import { errorMessage } from '../common/text/error-message.ts';
import { clearApiKey, loadApiKey, storeApiKey } from './api-key.ts';
import { SavedSearchList } from './saved-searches.ts';
import { BrowserSession, type SignIn } from './session.ts';
import {
  ApiError,
  type AppJson,
  type DrainJson,
  type DynoJson,
  type LoginQuestionJson,
  type LogLimitsJson,
  WebApiClient,
} from './stream/api-client.ts';
import { AppLineSource } from './stream/app-line-source.ts';
import { endOf, type TimeRange } from './stream/counts/histogram-counts.ts';
import {
  formatRange,
  parseRange,
  RANGE_DEFAULT,
  type ViewRange,
  zoomedOut,
} from './stream/counts/view-range.ts';
import { Facets } from './stream/facets.ts';
import { type Filters, isFiltered, NO_FILTERS } from './stream/filters.ts';
import type { Line } from './stream/line.ts';
import type { LineSource } from './stream/line-source.ts';
import { type DownloadOptions, downloadLines, downloadName } from './stream/log-download.ts';
import { LogView } from './stream/log-view.ts';
import { MergedLineSource } from './stream/merged/merged-line-source.ts';
import { hasRegex, searchFault } from './stream/search-expression.ts';
import { serverNowMs } from './stream/server-clock.ts';
import { visibleText } from './text/visible-text.ts';
import type { LineListHost } from './view/list/list-host.ts';
import { ListPage } from './view/list/list-page.ts';
import { formatViewLocation, parseViewLocation, showSameLines, type ViewLocation } from './view-location.ts';

/** How often dynos and drains are requested, and the apps of a server that is unreachable. */
const REFRESH_MS = 4_000;
const NO_ANSWER = 'The server doesn’t answer: this is shown as soon as it is back.';

/** Stands for all apps in an address: no app has such a name. */
export const ALL_APPS = '*';

/** Each has a connection, of which a browser makes some two hundred (Firefox 200, Chromium 255). */
export const APPS_TOGETHER_MAX = 200;

/** What of the toolbar asks for something that can't be shown, and why. */
export interface FieldFault {
  readonly field: 'app' | 'search' | 'filter';
  readonly text: string;
}

export class PageState extends ListPage implements LineListHost {
  readonly savedSearches = new SavedSearchList();
  readonly session = new BrowserSession();
  readonly key = signal(loadApiKey());
  /** undefined: it isn't known yet. */
  readonly isSignedIn = computed(() => {
    if (this.key.value !== '') return true;
    const session = this.session.current.value;
    return session === undefined ? undefined : session !== null;
  });
  /** Why the key form is shown again, or ''. */
  readonly keyError = signal('');
  readonly apps = signal<readonly AppJson[] | undefined>(undefined);
  /** The id of the app whose lines are shown, as soon as it is known; '' of all apps. */
  private readonly shownId = signal('');
  readonly dynos = signal<readonly DynoJson[]>([]);
  readonly drains = signal<readonly DrainJson[]>([]);
  /** undefined: not known yet, or all apps are shown. */
  readonly logLimits = signal<LogLimitsJson | undefined>(undefined);
  /** What is shown. */
  readonly viewLocation = signal<ViewLocation>(parseViewLocation(location.search));
  /** What was asked for last: the fields of the toolbar say it. What is shown stays until that can be. */
  readonly wantedLocation = signal<ViewLocation>(this.viewLocation.value);
  readonly logView = signal<LogView | undefined>(undefined);
  /** The view that is being read, to be shown instead. */
  private readonly openingView = signal<LogView | undefined>(undefined);
  /** Is the app whose lines are shown gone, and another one called as it was? */
  readonly isReplaced = computed(() => {
    const [id, { app }, apps = []] = [this.shownId.value, this.viewLocation.value, this.apps.value];
    return id !== '' && apps.some(({ name }) => name === app) && !apps.some((one) => one.id === id);
  });
  readonly isOpening = computed(() => this.openingView.value !== undefined);
  readonly facets = signal(new Facets());
  readonly overlay = signal<'' | 'help' | 'time' | 'download'>('');
  readonly fault = signal<FieldFault | undefined>(undefined);
  /** Does the server not answer? */
  readonly unreachable = signal(false);
  /** Those that were shown together last. */
  private mergedApps = '';
  private api = new WebApiClient({ key: this.key.value });
  /** The search that was wanted last: one that the server has checked too late counts no more. */
  private wantedSearch = '';
  /** Asks again for what couldn't be shown because the server didn't answer. */
  private askAgain: (() => Promise<void>) | undefined;

  /** Does a dyno or a drain need somebody to look at it? */
  get needsAttention(): boolean {
    return (
      this.dynos.value.some(({ state }) => state === 'crashed') ||
      this.drains.value.some(({ delivery }) => delivery.state === 'retrying' || delivery.lost > 0)
    );
  }

  start(): void {
    addEventListener('popstate', () => {
      const target = parseViewLocation(location.search);
      if (showSameLines(target, this.viewLocation.value) && !this.fault.value) this.showRange(target.range);
      else void this.navigate(target);
    });
    addEventListener('hashchange', () => {
      if (this.session.readInvitation()) {
        this.session.current.value = null;
        this.leave('');
        return;
      }
      if (this.session.readCommandLineLogin()) return;
      const before = this.key.value;
      const key = loadApiKey();
      if (key !== before) void this.signIn(key);
    });
    setInterval(() => void this.refresh(), REFRESH_MS);
    document.addEventListener('visibilitychange', () => void this.refresh());
    if (this.key.value) void this.loadApps();
    else void this.resume();
  }

  /** @param isRemembered in the place of the key comes a session, which stays when the browser is closed */
  async signIn(key: string, isRemembered = false): Promise<void> {
    storeApiKey(key);
    this.key.value = key;
    this.keyError.value = '';
    this.api = new WebApiClient({ key });
    await this.loadApps();
    if (isRemembered && this.key.value) await this.rememberBrowser();
  }

  async signInWithPassword(body: SignIn): Promise<void> {
    await this.session.signIn(body);
    await this.enterSession();
  }

  /** Accepts an invitation. */
  accept(body: SignIn): Promise<void> {
    return this.signInWithPassword(body);
  }

  async rememberBrowser(): Promise<void> {
    try {
      await this.session.rememberKey(this.key.value);
    } catch (error) {
      this.showNotice(errorMessage(error));
      return;
    }
    this.useSession();
    this.showNotice('This browser is remembered');
  }

  /** What the command line asks whose link brought this browser here. */
  askedLogin(): Promise<LoginQuestionJson> {
    return this.api.loginQuestion(this.session.commandLineLogin.value);
  }

  /** Lets that command line act as whoever is signed in here, or doesn't. */
  answerLogin(isAllowed: boolean): Promise<void> {
    return this.api.answerLogin(this.session.commandLineLogin.value, isAllowed);
  }

  async signOut(): Promise<void> {
    await this.session.signOut();
    this.leave('');
  }

  /** Is this browser signed in? Then goes on as whoever that is. */
  private async resume(): Promise<void> {
    if (this.session.invitation.value !== '') this.session.current.value = null;
    else await this.session.load();
    if (this.session.current.value) await this.enterSession();
  }

  private async enterSession(): Promise<void> {
    this.useSession();
    this.keyError.value = '';
    await this.loadApps();
  }

  private useSession(): void {
    clearApiKey();
    this.key.value = '';
    this.api = new WebApiClient({ csrf: this.session.current.value?.csrf ?? '' });
  }

  /** Are the lines of all apps shown together? */
  get showsAllApps(): boolean {
    return this.viewLocation.value.app === ALL_APPS;
  }

  async selectApp(app: string): Promise<void> {
    const { range } = this.wantedLocation.value;
    await this.navigate({ app, filters: NO_FILTERS, at: '', range }, 'push');
  }

  async changeFilters(change: Partial<Filters>, historyAction: 'push' | 'replace' = 'push'): Promise<void> {
    const { app, filters, range } = this.wantedLocation.value;
    await this.navigate({ app, filters: { ...filters, ...change }, at: '', range }, historyAction);
  }

  /** Searches for what is in the search box. One that can't be read, or isn't finished, leaves the lines that are shown as they are. */
  async search(q: string): Promise<void> {
    this.wantedSearch = q;
    this.askAgain = undefined;
    const text = searchFault(q) || (hasRegex(q) ? await this.serversFault(q) : '');
    if (this.wantedSearch !== q) return;
    this.fault.value = text === '' ? undefined : { field: 'search', text };
    if (text !== '') return;
    const shown = this.viewLocation.value;
    const { filters } = this.wantedLocation.value;
    if (
      showSameLines(
        { ...shown, at: '' },
        { ...this.wantedLocation.value, at: '', filters: { ...filters, q } },
      )
    )
      this.stayHere();
    else if (q !== filters.q) await this.changeFilters({ q }, 'replace');
  }

  /** Shows another range of time in the histogram: `1h`, or two times with a slash. */
  selectRange(range: string): void {
    this.updateAddressBar({ ...this.viewLocation.value, range }, 'push');
    this.showRange(range);
  }

  /** A range was drawn in the histogram: it, and the lines from its beginning on. */
  async zoomInto({ sinceMs, untilMs }: TimeRange): Promise<void> {
    this.selectRange(formatRange(sinceMs, untilMs));
    await this.jumpToTime(sinceMs);
  }

  /** Shows a longer range around the one that is shown. */
  zoomOut(shown: TimeRange): void {
    const range = zoomedOut(shown, serverNowMs());
    if (range !== undefined) this.selectRange(range === RANGE_DEFAULT ? '' : range);
  }

  /** Are there lines that the filters don't let through? */
  get hasHiddenLines(): boolean {
    return isFiltered(this.viewLocation.value.filters);
  }

  showOnlyOrigin({ source, dyno }: Line): void {
    void this.changeFilters({ source, dyno });
  }

  get currentSearch(): string {
    return this.wantedLocation.value.filters.q;
  }

  searchAddress(q: string): string {
    const { app } = this.viewLocation.value;
    return location.pathname + formatViewLocation({ app, filters: { ...NO_FILTERS, q }, at: '', range: '' });
  }

  searchFor(q: string): void {
    void this.changeFilters({ q });
  }

  /** From a line that a filter found to everything around it; the browser's way back leads to the filter again. */
  async showInContext(line: Line): Promise<void> {
    if (!this.showsAllApps)
      this.updateAddressBar({ ...this.viewLocation.value, at: line.position }, 'replace');
    const { app, range } = this.viewLocation.value;
    await this.navigate(
      { app: line.streamName ?? app, filters: NO_FILTERS, at: line.position, range },
      'push',
    );
  }

  /** Where the selected row is; 0 for none. An address may name a line within it. */
  get selectedRow(): number {
    const at = this.selectedPosition.value;
    return at && (this.logView.value?.rowOf(at) ?? at);
  }

  /** The line that is selected, or the event that it is in; undefined when it isn't here. */
  get selectedLine(): Line | undefined {
    const window = this.logView.value?.window;
    const at = this.selectedRow;
    const line = window?.lines[window.indexOf(at)];
    return line?.at === at ? line : undefined;
  }

  async jumpToTime(ms: number): Promise<void> {
    if (this.showsAllApps) {
      this.showNotice('Choose an app to go to a time.');
      return;
    }
    const logView = this.logView.value;
    const at = await logView?.showTime(ms);
    if (at !== undefined) {
      this.jumpNext();
      this.selectLine(at);
    } else if (logView && logView.error.value === '') this.showNotice('There are no lines at that time.');
  }

  /** Selects a line: the address leads to it now. */
  selectLine(at: number): void {
    this.logView.value?.pause();
    this.selectedPosition.value = at;
    // Numbers of lines of several apps mean nothing later.
    if (this.showsAllApps) return;
    this.updateAddressBar({ ...this.viewLocation.value, at: String(at) }, 'replace');
  }

  async follow(): Promise<void> {
    this.selectedPosition.value = 0;
    const { at, range } = this.viewLocation.value;
    const isPast = !('lastMs' in rangeOf(range));
    if (at || isPast)
      this.updateAddressBar({ ...this.viewLocation.value, at: '', range: isPast ? '' : range }, 'replace');
    if (this.logView.value?.counts.isLive === false) this.showRange(this.viewLocation.value.range);
    await this.logView.value?.follow();
  }

  /** The address of a line, without the key. */
  linkTo(line: Line): string {
    return (
      location.origin +
      location.pathname +
      formatViewLocation(
        line.streamName === undefined
          ? { ...this.viewLocation.value, at: line.position }
          : { app: line.streamName, filters: NO_FILTERS, at: line.position, range: '' },
      )
    );
  }

  /**
   * Makes a file of the lines that the filters let through.
   * @param onProgress gets how many bytes were read so far
   */
  async download(
    options: DownloadOptions,
    onProgress: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { app, filters } = this.viewLocation.value;
    if (this.showsAllApps) throw new Error('Choose an app: each is a file of its own.');
    const id = this.shownId.value || app;
    const blob = await downloadLines(this.api, id, filters, options, onProgress, signal);
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = downloadName(app, options, Date.now());
    link.click();
    // Some browsers begin to read it later.
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  /** What the histogram shows now; undefined before anything was counted. */
  get shownRange(): TimeRange | undefined {
    const counts = this.logView.value?.counts.snapshot(serverNowMs());
    return counts && { sinceMs: counts.sinceMs, untilMs: endOf(counts) };
  }

  protected pauseList(): void {
    this.logView.value?.pause();
  }

  /** Tries again what has failed; of an app that was replaced, the other one is shown. */
  retry(): void {
    if (this.isReplaced.value) {
      this.shownId.value = '';
      void this.navigate({ ...this.viewLocation.value, at: '' }, 'replace');
      return;
    }
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
      const { app } = this.viewLocation.value;
      const id = app === ALL_APPS ? this.apps.value?.[0]?.id : this.shownId.value;
      await this.api.checkSearch(id || app, q);
      return '';
    } catch (error) {
      if (error instanceof ApiError) return error.message;
      this.askAgain = () => this.search(q);
      return NO_ANSWER;
    }
  }

  /** Shows a place as soon as its lines are there. Until then, and when they can't be read, what is shown stays. */
  private async navigate(target: ViewLocation, historyAction?: 'push' | 'replace'): Promise<void> {
    const previousView = this.logView.value;
    const wanted = { ...target, app: target.app || this.viewLocation.value.app };
    const { app, filters } = wanted;
    const at = wanted.at ? Number(wanted.at) : undefined;
    this.wantedSearch = filters.q;
    this.wantedLocation.value = wanted;
    this.askAgain = undefined;
    writeAddress(wanted, historyAction);
    const isReplaced = app !== ALL_APPS && this.shownId.value === '';
    const isOtherApp = app !== this.viewLocation.value.app || !previousView || isReplaced;
    const facets = isOtherApp ? new Facets() : this.facets.value;
    this.openingView.value?.close();
    const appId = this.appIdOf(app);
    const source = app === ALL_APPS ? this.allApps() : new AppLineSource(this.api, appId);
    const logView = new LogView(source, filters, (lines) => facets.add(lines));
    this.openingView.value = logView;
    const stays = previousView?.opened === true;
    const show = (): void => this.show(logView, wanted, facets, appId);
    if (!stays) show();
    const text = searchFault(filters.q);
    this.fault.value = text === '' ? undefined : { field: 'search', text };
    void logView.counts.load(rangeOf(wanted.range), at);
    const error = await logView.open(at);
    if (this.openingView.value !== logView) return;
    this.openingView.value = undefined;
    if (error !== undefined) this.fault.value = this.faultOf(error, wanted);
    if (error !== undefined && !(error instanceof ApiError)) this.askAgain = () => this.navigate(wanted);
    if (error !== undefined && stays) {
      logView.close();
      return;
    }
    if (stays) show();
    if (error === undefined && at !== undefined && logView.isMissing(at))
      this.showNotice(
        isFiltered(filters)
          ? 'That line isn’t among these: the filters leave it out, or it is gone.'
          : 'That line is gone: the stream doesn’t reach back to it any more.',
      );
  }

  /** Whose lines are meant by a name. Once they are shown that stays the same app: another one may be called so by then. */
  private appIdOf(name: string): () => Promise<string> {
    const shown = name === this.viewLocation.value.app ? this.shownId.value : '';
    const known = name === ALL_APPS ? '' : shown || this.apps.value?.find((one) => one.name === name)?.id;
    let id = known === undefined ? undefined : Promise.resolve(known);
    return () => {
      id ??= this.api.appInfo(name).then(
        (app) => app.id,
        (error: unknown) => {
          id = undefined;
          throw error;
        },
      );
      return id;
    };
  }

  /** Those that are shown together. */
  private get appsTogether(): readonly AppJson[] {
    return (this.apps.value ?? []).slice(0, APPS_TOGETHER_MAX);
  }

  private allApps(): LineSource {
    const apps = this.appsTogether;
    this.mergedApps = namesOf(apps);
    return new MergedLineSource(
      apps.map(({ id, name }) => ({
        app: name,
        source: new AppLineSource(this.api, () => Promise.resolve(id)),
      })),
    );
  }

  private show(logView: LogView, target: ViewLocation, facets: Facets, appId: () => Promise<string>): void {
    const { at } = target;
    batch(() => {
      if (facets !== this.facets.value) {
        this.facets.value = facets;
        this.dynos.value = [];
        this.drains.value = [];
        this.logLimits.value = undefined;
      }
      this.viewLocation.value = target;
      this.resetRows();
      if (at) this.selectedPosition.value = Number(at);
      this.logView.value?.close();
      if (at) {
        this.jumpNext();
        logView.pause();
      }
      this.logView.value = logView;
      this.shownId.value = '';
    });
    void appId().then(
      (id) => {
        if (this.logView.value === logView) this.shownId.value = id;
      },
      () => {}, // The view says so itself.
    );
    this.showName();
    void this.refresh();
  }

  private showName(): void {
    const { app, filters } = this.viewLocation.value;
    this.preferences.app.value = app;
    document.title = `${app === ALL_APPS ? 'All apps' : visibleText(app)}${isFiltered(filters) ? ' (filtered)' : ''} · Tailrace`;
  }

  /** The app may have been renamed: its lines go on under its new name. Of all apps, some may be new. */
  private followNames(): void {
    if (this.showsAllApps) {
      const isOld = this.mergedApps !== namesOf(this.appsTogether);
      if (isOld && this.logView.value?.following.value && !this.isOpening.value)
        void this.navigate(this.viewLocation.value);
      return;
    }
    const before = this.viewLocation.value.app;
    const name = this.apps.value?.find(({ id }) => id === this.shownId.value)?.name ?? before;
    if (name === before) return;
    const renamed = (place: ViewLocation): ViewLocation =>
      place.app === before ? { ...place, app: name } : place;
    this.wantedLocation.value = renamed(this.wantedLocation.value);
    this.updateAddressBar(renamed(this.viewLocation.value), 'replace');
    this.showName();
    this.showNotice(`${visibleText(before)} is called ${visibleText(name)} now`);
  }

  /** What was asked for and isn't shown yet isn't wanted any more. */
  private stayHere(): void {
    this.openingView.value?.close();
    this.openingView.value = undefined;
    this.wantedLocation.value = this.viewLocation.value;
    writeAddress(this.viewLocation.value, 'replace');
  }

  /** Which field asks for what can't be shown. */
  private faultOf(error: unknown, wanted: ViewLocation): FieldFault {
    const shown = this.viewLocation.value;
    const text = error instanceof ApiError ? error.message : NO_ANSWER;
    if (wanted.app !== shown.app || (error instanceof ApiError && error.status === 404))
      return { field: 'app', text };
    return { field: wanted.filters.q === shown.filters.q ? 'filter' : 'search', text };
  }

  private showRange(text: string): void {
    const { at } = this.viewLocation.value;
    this.viewLocation.value = { ...this.viewLocation.value, range: text };
    void this.logView.value?.counts.load(rangeOf(text), at ? Number(at) : undefined);
  }

  private updateAddressBar(viewLocation: ViewLocation, historyAction: 'push' | 'replace'): void {
    this.viewLocation.value = viewLocation;
    writeAddress(viewLocation, historyAction);
  }

  private async refresh(): Promise<void> {
    if (document.hidden || !this.isSignedIn.value) return;
    if (!this.apps.value || this.apps.value.length === 0) {
      await this.loadApps();
      return;
    }
    const wasUnreachable = this.unreachable.value;
    const logView = this.logView.value;
    const notice = logView?.notice.value ?? '';
    const apps = await this.request(() => this.api.listApps());
    if (!apps) return;
    this.apps.value = apps;
    this.followNames();
    void this.askAgain?.();
    if (wasUnreachable) this.logView.value?.reconnect();
    await this.refreshPanel(logView, notice);
  }

  private async refreshPanel(logView: LogView | undefined, notice: string): Promise<void> {
    const id = this.shownId.value;
    const responses = await this.request(() =>
      Promise.all([
        id === '' ? [] : this.api.listDynos(id),
        id === '' ? [] : this.api.listDrains(id),
        id === '' ? undefined : this.api.logLimits(id),
      ]),
    );
    if (!responses || id !== this.shownId.value) return;
    [this.dynos.value, this.drains.value, this.logLimits.value] = responses;
    logView?.dismissNotice(notice);
    this.facets.value.add(responses[0].map(({ name }) => ({ source: '', dyno: name })));
  }

  /** Shows nothing any more, and asks who it is. */
  private leave(why: string): void {
    clearApiKey();
    this.logView.value?.close();
    this.logView.value = undefined;
    this.apps.value = undefined;
    this.key.value = '';
    this.keyError.value = why;
  }

  private async request<T>(send: () => Promise<T>): Promise<T | undefined> {
    try {
      const response = await send();
      this.unreachable.value = false;
      return response;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        const wasKey = this.key.value !== '';
        this.session.current.value = null;
        this.leave(wasKey ? 'The server doesn’t know this key.' : '');
      } else if (!(error instanceof ApiError)) this.unreachable.value = true;
      return undefined;
    }
  }
}

function namesOf(apps: readonly AppJson[]): string {
  return apps.map(({ id, name }) => `${id} ${name}`).join();
}

function rangeOf(text: string): ViewRange {
  return parseRange(text) ?? (parseRange(RANGE_DEFAULT) as ViewRange);
}

function writeAddress(viewLocation: ViewLocation, historyAction: 'push' | 'replace' | undefined): void {
  if (historyAction === undefined) return;
  const address = location.pathname + formatViewLocation(viewLocation);
  if (historyAction === 'push' && address !== location.pathname + location.search)
    history.pushState(null, '', address);
  else history.replaceState(null, '', address);
}
