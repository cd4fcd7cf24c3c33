/** What the viewer's page knows and does: who is signed in, what is looked at, the list's feed. */

import { signal } from '@preact/signals';
import { errorMessage } from '../../common/text/error-message.ts';
import { ServiceError } from '../addons/shared/service-client.ts';
import type { Line } from '../stream/line.ts';
import { searchFault } from '../stream/search-expression.ts';
import { narrowedSearch } from '../text/search-terms.ts';
import { visibleText } from '../text/visible-text.ts';
import type { LineListHost } from '../view/list/list-host.ts';
import { ListPage } from '../view/list/list-page.ts';
import { ViewerClient } from './api/viewer-client.ts';
import type { SavedSearchJson, SessionJson, StreamGroupJson, StreamJson } from './api/viewer-json.ts';
import { ALL_LINES, lineParams, type ViewerSelection } from './lines/line-selection.ts';
import { ViewerFeed } from './lines/viewer-feed.ts';
import { lineKey, type ViewerLine } from './lines/viewer-line.ts';
import { CountsState } from './logs/counts-state.ts';
import { FieldsState } from './logs/fields-state.ts';
import { valueTerm } from './logs/query-terms.ts';
import {
  type Admission,
  formatViewerAddress,
  parseAdmission,
  parseViewerAddress,
  START_ADDRESS,
  type ViewerAddress,
  type ViewerSection,
} from './viewer-location.ts';

/** So often at the most groups are read again because of lines of an unknown stream. */
const UNKNOWN_STREAM_MS = 5_000;

export type ViewerOverlay = '' | 'help' | 'time' | 'save' | 'download' | 'grammar' | 'password';

export class ViewerPage extends ListPage implements LineListHost {
  readonly client = new ViewerClient();
  readonly counts = new CountsState(this.client);
  readonly fields = new FieldsState(this.client);
  readonly address = signal<ViewerAddress>(parseViewerAddress(location.search));
  /** Of a link that lets somebody in for the first time. */
  readonly admission = signal<Admission | undefined>(undefined);
  /** Is nobody known to the viewer yet? */
  readonly isNew = signal(false);
  readonly groups = signal<readonly StreamGroupJson[] | undefined>(undefined);
  readonly savedSearches = signal<readonly SavedSearchJson[]>([]);
  /** The id of a saved search that somebody wants an alert on, or ''. */
  readonly newAlertOn = signal('');
  readonly feed = signal<ViewerFeed | undefined>(undefined);
  readonly overlay = signal<ViewerOverlay>('');
  /** Why what is in the search box can't be searched for, or ''. */
  readonly fault = signal('');
  /** What else went wrong, or ''. */
  readonly error = signal('');
  private groupsAreLoading = false;

  get selection(): ViewerSelection {
    return this.address.value.selection;
  }

  get hasHiddenLines(): boolean {
    const { q, from, to } = this.selection;
    return q !== '' || from !== '' || to !== '';
  }

  start(): void {
    addEventListener('popstate', () => void this.show(parseViewerAddress(location.search)));
    this.admission.value = parseAdmission(location.hash);
    addEventListener('hashchange', () => {
      this.admission.value = parseAdmission(location.hash) ?? this.admission.value;
    });
    this.client.session.subscribe((session) => {
      if (session === null) this.closeFeed();
    });
    void this.resume();
  }

  /** Goes on as whoever is signed in in this browser. */
  async resume(): Promise<void> {
    try {
      await this.enter(await this.client.get<SessionJson>('api/session'));
    } catch (error) {
      if (error instanceof ServiceError && error.status === 401) {
        this.isNew.value = error.answer.firstRun === true;
        this.client.session.value = null;
      } else this.report(error);
    }
  }

  /** Somebody has signed in. */
  async enter(session: SessionJson): Promise<void> {
    this.client.session.value = session;
    this.isNew.value = false;
    this.error.value = '';
    this.admission.value = undefined;
    if (location.hash) history.replaceState(null, '', location.pathname + location.search);
    await Promise.all([this.loadGroups(), this.loadSavedSearches()]);
    await this.show(this.address.value);
  }

  async signOut(): Promise<void> {
    await this.attempt(() => this.client.change('DELETE', 'api/session'));
    this.client.session.value = null;
    this.groups.value = undefined;
    this.savedSearches.value = [];
  }

  async loadGroups(): Promise<void> {
    await this.attempt(async () => {
      this.groups.value = await this.client.get<StreamGroupJson[]>('api/groups');
    });
  }

  async loadSavedSearches(): Promise<void> {
    await this.attempt(async () => {
      this.savedSearches.value = await this.client.get<SavedSearchJson[]>('api/searches');
    });
  }

  /** All streams that can be seen. */
  streams(): readonly StreamJson[] {
    return (this.groups.value ?? []).flatMap(({ streams }) => streams);
  }

  /** The streams that lines are looked for in. */
  selectedStreams(): readonly StreamJson[] {
    const { group, stream } = this.selection;
    if (stream) return this.streams().filter(({ id }) => id === stream);
    return (this.groups.value ?? [])
      .filter(({ id }) => !group || id === group)
      .flatMap(({ streams }) => streams);
  }

  async goTo(section: ViewerSection): Promise<void> {
    await this.navigate({ ...START_ADDRESS, section }, 'push');
  }

  async changeSelection(
    change: Partial<ViewerSelection>,
    historyAction: 'push' | 'replace' = 'push',
  ): Promise<void> {
    const { selection, by } = this.address.value;
    await this.navigate(
      { section: 'logs', selection: { ...selection, ...change }, line: '', by },
      historyAction,
    );
  }

  /** Shows how often each value of a field is there; '' goes back to the lines. */
  async groupBy(by: string): Promise<void> {
    await this.navigate({ ...this.address.value, by, line: '' }, 'push');
  }

  /** Shows the lines of a saved search. */
  async openSavedSearch({ q, group, streams }: SavedSearchJson): Promise<void> {
    const stream = streams?.length === 1 ? streams[0] : '';
    await this.changeSelection({ ...ALL_LINES, q, group: stream ? '' : (group ?? ''), stream });
  }

  /** Searches for what is in the box. One that can't be read leaves the lines that are shown as they are. */
  async search(q: string): Promise<void> {
    this.fault.value = searchFault(q);
    if (this.fault.value === '' && q !== this.selection.q) await this.changeSelection({ q }, 'replace');
  }

  get currentSearch(): string {
    return this.selection.q;
  }

  searchAddress(q: string): string {
    const { group, stream } = this.selection;
    return (
      location.pathname +
      formatViewerAddress({ ...START_ADDRESS, selection: { ...ALL_LINES, group, stream, q } })
    );
  }

  /** Searches for something as well, or leaves out what it finds. */
  async narrow(term: string, isExcluded = false): Promise<void> {
    await this.changeSelection({ q: narrowedSearch(this.selection.q, term, isExcluded) });
  }

  searchFor(q: string): void {
    void this.changeSelection({ q });
  }

  showOnlyOrigin(line: Line): void {
    const ofSource = narrowedSearch(this.selection.q, valueTerm('source', line.source), false);
    void this.changeSelection({
      stream: (line as ViewerLine).stream,
      group: '',
      q: narrowedSearch(ofSource, valueTerm('dyno', line.dyno), false),
    });
  }

  /** From a line that a search found to everything around it; the browser's way back leads to the search again. */
  async showInContext(line: Line): Promise<void> {
    const key = lineKey(line as ViewerLine);
    this.setAddress({ ...this.address.value, line: key }, 'replace');
    const { group, stream } = this.selection;
    await this.navigate({ ...START_ADDRESS, selection: { ...ALL_LINES, group, stream }, line: key }, 'push');
  }

  async jumpToTime(ms: number): Promise<void> {
    const feed = this.feed.value;
    const at = await feed?.showTime(ms);
    if (at !== undefined) {
      this.jumpNext();
      this.selectLine(at);
    } else if (feed && feed.error.value === '') this.showNotice('There are no lines at that time.');
  }

  selectLine(at: number): void {
    const feed = this.feed.value;
    const line = feed?.lineAt(at);
    if (!feed || !line) return;
    feed.pause();
    this.selectedPosition.value = at;
    this.setAddress({ ...this.address.value, line: lineKey(line) }, 'replace');
  }

  async follow(): Promise<void> {
    this.selectedPosition.value = 0;
    if (this.address.value.line) this.setAddress({ ...this.address.value, line: '' }, 'replace');
    await this.feed.value?.follow();
  }

  /** The address of a line among everything around it. */
  linkTo(line: Line): string {
    const { group, stream } = this.selection;
    const address = {
      ...START_ADDRESS,
      selection: { ...ALL_LINES, group, stream },
      line: lineKey(line as ViewerLine),
    };
    return location.origin + location.pathname + formatViewerAddress(address);
  }

  /** Of what is looked at, as a file. */
  downloadLink(format: 'text' | 'ndjson', gzip: boolean): string {
    const params = lineParams(this.selection);
    params.set('format', format);
    if (gzip) params.set('gzip', 'true');
    return `api/download?${params}`;
  }

  /** Does something with the server; when it refuses, the page says why. True: it was done. */
  async attempt(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      this.error.value = '';
      return true;
    } catch (error) {
      this.report(error);
      return false;
    }
  }

  protected pauseList(): void {
    this.feed.value?.pause();
  }

  private report(error: unknown): void {
    if (error instanceof ServiceError && error.status === 401 && this.client.session.value === null) return;
    this.error.value = errorMessage(error);
  }

  private async navigate(address: ViewerAddress, historyAction: 'push' | 'replace'): Promise<void> {
    this.setAddress(address, historyAction);
    await this.show(address);
  }

  /** Shows what an address says. */
  private async show(address: ViewerAddress): Promise<void> {
    this.address.value = address;
    this.overlay.value = '';
    this.resetRows();
    this.fault.value = searchFault(address.selection.q);
    this.closeFeed();
    this.updateTitle();
    if (!this.client.session.value || address.section !== 'logs') return;
    const { selection } = address;
    const streams = this.selectedStreams();
    this.fields.open(selection, address.by);
    this.counts.open(selection, streams);
    if (this.groups.value?.length === 0) return;
    const feed = new ViewerFeed(this.client, selection, (id) => this.streamName(id));
    this.feed.value = feed;
    if (address.line) this.jumpNext();
    const at = await feed.open(address.line || undefined);
    if (this.feed.value !== feed || !address.line) return;
    if (at !== undefined) this.selectedPosition.value = at;
    else if (feed.error.value === '') this.showNotice('That line is gone: it isn’t kept any more.');
  }

  /** A stream's name, where its lines say whose they are; a stream that isn't known yet has just been made by its sender. */
  private streamName(id: string): string | undefined {
    const name = this.streams().find((stream) => stream.id === id)?.name;
    if (name === undefined && !this.groupsAreLoading) {
      this.groupsAreLoading = true;
      void this.loadGroups().finally(() => {
        setTimeout(() => {
          this.groupsAreLoading = false;
        }, UNKNOWN_STREAM_MS);
      });
    }
    return this.selection.stream ? undefined : name;
  }

  private closeFeed(): void {
    this.feed.value?.close();
    this.feed.value = undefined;
    this.counts.close();
  }

  private setAddress(address: ViewerAddress, historyAction: 'push' | 'replace'): void {
    this.address.value = address;
    const text = location.pathname + formatViewerAddress(address);
    if (historyAction === 'push' && text !== location.pathname + location.search)
      history.pushState(null, '', text);
    else history.replaceState(null, '', text);
  }

  private updateTitle(): void {
    const { section, selection } = this.address.value;
    const { group, stream, q } = selection;
    const name =
      this.streams().find(({ id }) => id === stream)?.name ??
      this.groups.value?.find(({ id }) => id === group)?.name ??
      'All lines';
    const title = section === 'logs' ? q || name : section[0].toUpperCase() + section.slice(1);
    document.title = `${visibleText(title)} · Tailrace viewer`;
  }
}
