import type { SenderRecord } from '../check/check.ts';

/** How a numbered line is written, whatever is around it: it is found in every form of a drain. */
export const messageOf = (sender: string, number: number): string => `#${sender} ${number}#`;
const MESSAGE = /#([a-z]+[0-9.]*) (\d+)#/g;

/** All numbered lines in a text, in their order. */
export function numberedIn(text: string): [sender: string, number: number][] {
  return [...text.matchAll(MESSAGE)].map(([, sender, number]) => [sender, Number(number)]);
}

/** What a sender of numbered lines knows of them. */
export class SentLines implements SenderRecord {
  readonly name: string;
  readonly acknowledged = new Map<number, number>();
  readonly refused = new Set<number>();
  readonly repeated = new Set<number>();
  readonly givenUp = new Set<number>();
  private newest = 0;

  constructor(name: string) {
    this.name = name;
  }

  take(count: number): number[] {
    return Array.from({ length: count }, () => ++this.newest);
  }

  acknowledge(numbers: readonly number[]): void {
    const now = Date.now();
    for (const number of numbers) this.acknowledged.set(number, now);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
