import type { Config } from '../platform/release-history.ts';
import type { OwnPages } from '../proxy/directory.ts';

/** What an app's config vars say about its error pages, by Heroku's names. What is no address of the web is left out. */
export function ownPages({ ERROR_PAGE_URL: error, MAINTENANCE_PAGE_URL: maintenance }: Config): OwnPages {
  return { error: address(error), maintenance: address(maintenance) };
}

function address(text: string | undefined): string | undefined {
  return text !== undefined && /^(https?:)?\/\/[^\s/]/i.test(text) ? text : undefined;
}
