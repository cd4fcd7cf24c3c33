/** What a search looks for, as far as the page has to know to highlight it: words and "phrases"; the server does the searching. */
import type { StyledRange } from './text-spans.ts';

/** One behind the other, as the server reads them: a phrase without its end goes to the end. */
const TERM = /\s*(-?)(?:"([^"]*)"?|\/(?:[^/\\]|\\.)+\/i?(?=\s|$)|(\S+))/gsy;

/** The words and phrases that have to be in a line, in lower case. Patterns aren't among them. */
export function searchTerms(query: string): string[] {
  const terms: string[] = [];
  for (const [, minus, phrase, word] of query.matchAll(TERM)) {
    const term = phrase ?? word;
    if (!minus && term) terms.push(term.toLowerCase());
  }
  return terms;
}

/** Where the terms are in a text. */
export function highlightTerms(text: string, terms: readonly string[]): StyledRange[] {
  if (terms.length === 0) return [];
  const lower = text.toLowerCase();
  // Lower case has another length in some languages: better no highlight than a wrong one.
  if (lower.length !== text.length) return [];
  const ranges: StyledRange[] = [];
  for (const term of terms)
    for (let from = lower.indexOf(term); from !== -1 && ranges.length < 100; ) {
      ranges.push({ from, to: from + term.length, className: 'match' });
      from = lower.indexOf(term, from + term.length);
    }
  return ranges;
}

/** A search for exactly this text. */
export function toSearchPhrase(text: string): string {
  return /^[^\s"/-][^\s"]*$/.test(text) ? text : `"${text.replaceAll('"', ' ')}"`;
}
