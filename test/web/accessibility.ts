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
  return textsOf(
    (await findingsIn(page, false)).filter(({ impact }) => impact === 'serious' || impact === 'critical'),
  );
}

/** All findings, also of what is only good practice, and of controls that are smaller than 24 pixels. */
export async function axeFindings(page: Page): Promise<string[]> {
  return textsOf(await findingsIn(page, true));
}

async function findingsIn(page: Page, withSizes: boolean): Promise<readonly AxeFinding[]> {
  await page.evaluate(AXE);
  // Colors that are on their way to others would be measured in between.
  return page.evaluate<readonly AxeFinding[]>(`(async () => {
    await Promise.all(document.getAnimations().map((one) => one.finished.catch(() => undefined)));
    const rules = { 'target-size': { enabled: ${withSizes} } };
    const { violations } = await axe.run(document, { resultTypes: ['violations'], rules });
    return violations;
  })()`);
}

/** One example of each. */
function textsOf(findings: readonly AxeFinding[]): string[] {
  const all = findings.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary = '' }) => ({
      html,
      text: `${id}: ${failureSummary.replace(/\s+/g, ' ')}`,
    })),
  );
  return [...new Map(all.map(({ html, text }) => [text, `${text} ${html.slice(0, 160)}`])).values()];
}
