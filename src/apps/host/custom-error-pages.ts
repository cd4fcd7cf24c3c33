import type { ErrorPageUrls } from '../http-router/app-lookup.ts';
import type { Config } from '../records/release-record.ts';

/** The error pages that an app's config vars name, as on Heroku. What isn't a web URL is ignored. */
export function errorPageUrls({
  ERROR_PAGE_URL: error,
  MAINTENANCE_PAGE_URL: maintenance,
}: Config): ErrorPageUrls {
  return { error: webUrl(error), maintenance: webUrl(maintenance) };
}

function webUrl(text: string | undefined): string | undefined {
  return text !== undefined && /^(https?:)?\/\/[^\s/]/i.test(text) ? text : undefined;
}
