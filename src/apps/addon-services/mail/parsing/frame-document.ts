/**
 * The HTML of a mail as a document for a frame. Nothing in it runs, loads or navigates: that is said by the headers that it is served
 * with, and by the frame that shows it. What could have a browser look up other servers' names, or go elsewhere, has no meaning besides.
 */

/** No scripts, nothing from anywhere but its own images as `data:`, no forms, and a sandbox with an origin of its own. */
export const FRAME_SECURITY_HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    'img-src data:',
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'self'",
    'sandbox',
  ].join('; '),
  'X-Frame-Options': 'SAMEORIGIN',
  'X-DNS-Prefetch-Control': 'off',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const;

/** A tag is the one that its first letters say (WHATWG HTML, section 13.2.5.8): with another name it means nothing. */
const ACTIVE_TAG =
  /<(\/?)(script|noscript|meta|link|base|iframe|frame|frameset|object|embed|applet|form|portal|fencedframe|template|audio|video|track|source)(?=[\s/>])/gi;
const CONTENT_ID_LINK = /\bcid:([^"'\s<>()]{1,256})/gi;
/** Of a mail's own images, put into its HTML. */
const EMBEDDED_BYTES_MAX = 10_000_000;
/** Those that a browser shows without running what is in them. */
const IMAGE_TYPES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp'];
const STYLE =
  ':root{color-scheme:light;background:#fff;color:#16262c}body{margin:14px;font:14px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}img{max-width:100%}x-script,x-noscript,x-template{display:none!important}';

export interface EmbeddedImage {
  readonly contentType: string;
  readonly content: Buffer;
}

/** @param image gives the mail's image of a content id (RFC 2392) */
export function frameDocument(html: string, image: (cid: string) => EmbeddedImage | undefined): string {
  let left = EMBEDDED_BYTES_MAX;
  const body = html.replace(ACTIVE_TAG, '<$1x-$2').replace(CONTENT_ID_LINK, (link, cid: string) => {
    const found = image(cid);
    if (!found || !IMAGE_TYPES.includes(found.contentType) || found.content.length > left) return link;
    left -= found.content.length;
    return `data:${found.contentType};base64,${found.content.toString('base64')}`;
  });
  return `<!doctype html><html><head><meta charset="utf-8"><title>Mail</title><style>${STYLE}</style></head><body>${body}</body></html>`;
}

/** Does it ask for images, styles or fonts from other servers? They are not loaded. */
export function wantsRemoteContent(html: string): boolean {
  return /(?:\b(?:src|srcset|background|poster|data)\s{0,9}=\s{0,9}["']?\s{0,9}|url\(\s{0,9}["']?|@import\s{0,9}["'])(?:https?:)?\/\//i.test(
    html,
  );
}
