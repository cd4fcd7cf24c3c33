/** What axe-core has against a page. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeFinding {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** Findings that keep somebody from using the page, a text each: which rule, and where. None is as it should be. */
export async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  // Colors that are on their way to others would be measured in between.
  const violations = await page.evaluate<readonly AxeFinding[]>(`(async () => {
    await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => undefined)));
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations;
  })()`);
  const findings = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary = '' }) => ({
        html,
        text: `${id}: ${failureSummary.replace(/\s+/g, ' ')}`,
      })),
    );
  // One example of each.
  return [...new Map(findings.map(({ html, text }) => [text, `${text} ${html.slice(0, 160)}`])).values()];
}
