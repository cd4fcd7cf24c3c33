import type { ErrorPageUrls } from '../http-router/app-lookup.ts';
import type { Config } from '../records/release-record.ts';

/** What an app's config vars say about its error pages, by Heroku's names. What is no address of the web is left out. */
export function errorPageUrls({
  ERROR_PAGE_URL: error,
  MAINTENANCE_PAGE_URL: maintenance,
}: Config): ErrorPageUrls {
  return { error: webUrl(error), maintenance: webUrl(maintenance) };
}

function webUrl(text: string | undefined): string | undefined {
  return text !== undefined && /^(https?:)?\/\/[^\s/]/i.test(text) ? text : undefined;
}
