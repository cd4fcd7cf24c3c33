import { platformErrorTitle } from '../../common/platform-errors.ts';
import type { AppId, DamageListener, Sequence, StreamDamage } from './contract.ts';

/** So many are remembered: after them, more tell nobody anything new. */
const REPORTS_MAX = 1_000;
/** So many are named in a status. */
const NAMED_MAX = 5;

/** Lines that were lost in this process's time, or before. */
export class DamageReports {
  private readonly reports: StreamDamage[] = [];
  private readonly listeners = new Set<DamageListener>();

  /** Tells those who watch of lines that are lost, unless they were told of a range with all of them. */
  report(damage: StreamDamage): void {
    const { app, first, last } = damage;
    const isKnown = this.reports.some((one) => one.app === app && one.first <= first && last <= one.last);
    if (isKnown || this.reports.length >= REPORTS_MAX) return;
    this.reports.push(damage);
    for (const listener of this.listeners) listener(damage);
  }

  /** As {@link Store.watchDamage}: `listener` is called at once with what was reported before. */
  watch(listener: DamageListener): () => void {
    this.listeners.add(listener);
    for (const damage of this.reports) listener(damage);
    return () => this.listeners.delete(listener);
  }

  /** Sentences about what is lost, with what to do. @param nameOf the name of an app, if it has one */
  describe(nameOf: (app: AppId) => string | undefined): string[] {
    const named = this.reports.slice(0, NAMED_MAX).map((one) => describeDamage(one, nameOf(one.app)));
    const more = this.reports.length - named.length;
    return more > 0
      ? [...named, `${more} more ranges of lines are lost; \`tailrace repair --dry-run\` lists them.`]
      : named;
  }
}

/** What is lost, in a sentence. @param name of the app; undefined when it isn't known */
export function describeDamage({ app, first, last }: StreamDamage, name: string | undefined): string {
  return `${describeLines(first, last)} of ${name ?? `app ${app}`} ${first === last ? 'is' : 'are'} lost: their files in the data folder were damaged or removed. Put them back from a copy with the server stopped, or have \`tailrace repair\` clear up.`;
}

/** The message of the line that says so in the app's stream. */
export function lostLinesMessage(first: Sequence, last: Sequence): string {
  return `${platformErrorTitle('L16')} -> ${describeLines(first, last)} of this stream ${first === last ? 'is' : 'are'} gone: files were damaged or removed.`;
}

function describeLines(first: Sequence, last: Sequence): string {
  return first === last ? `Line ${first}` : `Lines ${first} to ${last} (${last - first + 1})`;
}
