/** The fields of what is looked at, and how often they have which values. */
import { signal } from '@preact/signals';
import { ServiceError } from '../../addons/shared/service-client.ts';
import type { ViewerClient } from '../api/viewer-client.ts';
import type { ValuesJson } from '../api/viewer-json.ts';
import { ALL_LINES, summaryParams, type ViewerSelection } from '../lines/line-selection.ts';

/** Values of a facet, and of a table over all of the page. */
const FACET_VALUES = 8;
const GROUP_VALUES = 200;
/** Fields that every line has, and are worth counting. */
const LINE_FIELDS = ['level', 'source', 'dyno', 'sender'];

/** `failed`: why they aren't there. */
export type FieldValuesState = ValuesJson | { readonly failed: string } | undefined;

export class FieldsState {
  readonly names = signal<readonly string[]>(LINE_FIELDS);
  /** The open facets; undefined while their values are on the way. */
  readonly facets = signal<ReadonlyMap<string, FieldValuesState>>(new Map());
  /** Of the field that lines are grouped by. */
  readonly groups = signal<FieldValuesState>(undefined);
  private readonly client: ViewerClient;
  private selection: ViewerSelection = ALL_LINES;
  private abort = new AbortController();

  constructor(client: ViewerClient) {
    this.client = client;
  }

  /** @param by the field that lines are grouped by, or '' */
  open(selection: ViewerSelection, by: string): void {
    this.abort.abort();
    this.abort = new AbortController();
    this.selection = selection;
    void this.loadNames(this.abort.signal);
    for (const name of this.facets.value.keys()) void this.loadFacet(name);
    this.groups.value = undefined;
    if (by) void this.loadGroups(by, this.abort.signal);
  }

  /** Opens the values of a field, or closes them. */
  toggleFacet(name: string): void {
    const facets = new Map(this.facets.value);
    if (facets.delete(name)) {
      this.facets.value = facets;
      return;
    }
    this.setFacet(name, undefined);
    void this.loadFacet(name);
  }

  private async loadNames(abort: AbortSignal): Promise<void> {
    try {
      const { fields } = await this.client.get<{ fields: string[] }>(
        `api/fields?${summaryParams(this.selection)}`,
        abort,
      );
      this.names.value = [...new Set([...LINE_FIELDS, ...fields])];
    } catch {
      // those that every line has are still there
    }
  }

  private async loadFacet(name: string): Promise<void> {
    const { signal: abort } = this.abort;
    const values = await this.load(name, FACET_VALUES, abort);
    if (!abort.aborted && this.facets.value.has(name)) this.setFacet(name, values);
  }

  private async loadGroups(name: string, abort: AbortSignal): Promise<void> {
    const values = await this.load(name, GROUP_VALUES, abort);
    if (!abort.aborted) this.groups.value = values;
  }

  private async load(field: string, limit: number, abort: AbortSignal): Promise<FieldValuesState> {
    const params = summaryParams(this.selection);
    params.set('field', field);
    params.set('limit', String(limit));
    try {
      return await this.client.get<ValuesJson>(`api/values?${params}`, abort);
    } catch (error) {
      return { failed: error instanceof ServiceError ? error.message : 'They couldn’t be counted.' };
    }
  }

  private setFacet(name: string, values: FieldValuesState): void {
    this.facets.value = new Map([...this.facets.value, [name, values]]);
  }
}
