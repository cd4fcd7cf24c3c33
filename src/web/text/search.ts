/** What a search looks for, as far as the page has to know to mark it: words and "phrases"; the server does the searching. */
import type { Mark } from './marks.ts';

const TERM = /(-?)(?:"([^"]*)"|\/(?:[^/\\]|\\.)*\/i?(?=\s|$)|(\S+))/g;

/** The words and phrases that have to be in a line, in lower case. Patterns aren't among them. */
export function wantedTerms(query: string): string[] {
  const terms: string[] = [];
  for (const [, minus, phrase, word] of query.matchAll(TERM)) {
    const term = phrase ?? word;
    if (!minus && term) terms.push(term.toLowerCase());
  }
  return terms;
}

/** Where the terms are in a text. */
export function findTerms(text: string, terms: readonly string[]): Mark[] {
  if (terms.length === 0) return [];
  const lower = text.toLowerCase();
  // Lower case has another length in some languages: better no marks than wrong ones.
  if (lower.length !== text.length) return [];
  const marks: Mark[] = [];
  for (const term of terms)
    for (let from = lower.indexOf(term); from !== -1 && marks.length < 100; ) {
      marks.push({ from, to: from + term.length, name: 'found' });
      from = lower.indexOf(term, from + term.length);
    }
  return marks;
}

/** A search for exactly this text. */
export function asPhrase(text: string): string {
  return /^[^\s"/-][^\s"]*$/.test(text) ? text : `"${text.replaceAll('"', ' ')}"`;
}
