/** What Heroku has and isn't here, by Heroku's word: a sentence that says what to use. */
export const UNSUPPORTED = {
  certs:
    'Apps have no certificates of their own: the server has them (TAILRACE_TLS_CERT), or nginx, Caddy or another load balancer in front of it; name the host with domains:add.',
  pipelines:
    'There are no pipelines here: `tailrace promote -a APP --to OTHER` releases what one app runs to another.',
  exec: 'The official ps:exec and ps:copy go through Heroku’s own servers: here it is `tailrace ps:exec web.1 bash`, `tailrace ps:copy FILE -d web.1`, or `heroku run:inside web.1 bash`.',
  webhooks:
    'There are no webhooks here: releases, builds and dynos speak in the app’s stream, which a drain brings to any address (drains:add).',
  teams:
    'There are no teams or spaces here: whoever has an API key may use it (authorizations:create makes one with a scope).',
  keys: 'Keys are API keys here, for git too: authorizations:create makes one.',
} as const;
