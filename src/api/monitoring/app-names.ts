import type { AppRegistry } from '../../apps/records/app-registry.ts';
import type { AppId } from '../../logs/store/contract.ts';

/** Names of apps for metrics: while the store is unavailable they are those that were known before. */
export class MetricAppNames {
  private readonly appRegistry: AppRegistry;
  private known: ReadonlyMap<string, string> = new Map();

  constructor(appRegistry: AppRegistry) {
    this.appRegistry = appRegistry;
  }

  /** By their ids; what isn't known isn't there. */
  async of(apps: readonly AppId[]): Promise<ReadonlyMap<string, string>> {
    const found = await this.appRegistry.namesOf(apps).catch(() => undefined);
    if (found) this.known = new Map([...this.known, ...found]);
    return this.known;
  }
}
