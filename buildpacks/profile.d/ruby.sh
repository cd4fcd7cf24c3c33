# The app's gems, and what Rails looks at.
export BUNDLE_PATH=vendor/bundle BUNDLE_DEPLOYMENT=true BUNDLE_SILENCE_ROOT_WARNING=true
export BUNDLE_WITHOUT="${BUNDLE_WITHOUT:-development:test}"
export RACK_ENV="${RACK_ENV:-production}" RAILS_ENV="${RAILS_ENV:-production}" LANG="${LANG:-C.UTF-8}"
export RAILS_LOG_TO_STDOUT="${RAILS_LOG_TO_STDOUT-enabled}" RAILS_SERVE_STATIC_FILES="${RAILS_SERVE_STATIC_FILES-enabled}"
export PATH="$HOME/bin:$PATH"
