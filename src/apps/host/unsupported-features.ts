/** What Heroku has and isn't here, by Heroku's word: a sentence that says what to use. */
export const UNSUPPORTED = {
  certs:
    'The HTTP router has no certificates: let nginx, Caddy or another load balancer in front of it speak TLS, and name the host with domains:add.',
  pipelines:
    'There are no pipelines here: `tailrace promote -a APP --to OTHER` releases what one app runs to another.',
} as const;
