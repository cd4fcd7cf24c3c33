# The app's virtual environment, and how many processes a server such as gunicorn starts (WEB_CONCURRENCY, as in Heroku's
# buildpack): what the processors can do, with 256 MB for each.
export VIRTUAL_ENV="$HOME/.venv" PATH="$HOME/.venv/bin:$PATH" PYTHONUNBUFFERED=1 LANG="${LANG:-C.UTF-8}"
if [ -z "${WEB_CONCURRENCY:-}" ]; then
  WEB_CONCURRENCY=$(($(nproc 2>/dev/null || echo 1) * 2 + 1))
  case "${DYNO_RAM:-512}" in
    *[!0-9]*) ;;
    *) if [ $((${DYNO_RAM:-512} / 256)) -lt "$WEB_CONCURRENCY" ]; then WEB_CONCURRENCY=$((${DYNO_RAM:-512} / 256)); fi ;;
  esac
  if [ "$WEB_CONCURRENCY" -lt 1 ]; then WEB_CONCURRENCY=1; fi
fi
export WEB_CONCURRENCY
