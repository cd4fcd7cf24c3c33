# The programs that the app was built to.
export PATH="$HOME/bin:$PATH"
