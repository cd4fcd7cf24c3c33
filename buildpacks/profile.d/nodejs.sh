# The app's own Node.js and package manager, the programs of its packages, and how many processes its memory is enough for
# (WEB_CONCURRENCY, as in Heroku's buildpack): MEMORY_AVAILABLE of the dyno, WEB_MEMORY of each, in MB.
for bin in "$HOME"/.heroku/*/node_modules/.bin; do
  if [ -d "$bin" ]; then PATH="$bin:$PATH"; fi
done
export PATH="$HOME/node_modules/.bin:$PATH"
unset bin
export NODE_ENV="${NODE_ENV:-production}"
export MEMORY_AVAILABLE="${MEMORY_AVAILABLE:-${DYNO_RAM:-512}}" WEB_MEMORY="${WEB_MEMORY:-512}"
case "$MEMORY_AVAILABLE:$WEB_MEMORY" in
  *[!0-9:]* | :* | *: | *:0) ;;
  *) WEB_CONCURRENCY="${WEB_CONCURRENCY:-$((MEMORY_AVAILABLE / WEB_MEMORY))}" ;;
esac
case "${WEB_CONCURRENCY:-0}" in
  *[!0-9]* | 0) WEB_CONCURRENCY=1 ;;
esac
if [ "$WEB_CONCURRENCY" -gt 200 ]; then WEB_CONCURRENCY=200; fi
export WEB_CONCURRENCY
