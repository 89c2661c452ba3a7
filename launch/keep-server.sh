#!/bin/sh
# Runs a server for as long as somebody holds the writing end of this program's standard input.
#
#   keep-server.sh GRACE PROGRAM [ARGUMENT]...
#
# Prints the server's pid and closes its standard output; the server's own output goes to standard error. At the
# end-of-file (the launcher closed the pipe, or died in whatever way) the server gets SIGTERM, and SIGKILL when it is
# still there GRACE seconds later. Ends with the server.
grace=$1
shift
exec 3<&0
"$@" </dev/null 3<&- >&2 &
server=$!
{
  read -r _ <&3
  kill -TERM "$server"
  while [ "$grace" -gt 0 ] && kill -0 "$server"; do
    sleep 1
    grace=$((grace - 1))
  done
  kill -KILL "$server"
} >/dev/null 2>&1 &
watchdog=$!
exec 3<&-
echo "$server"
exec 1>&-
wait "$server"
code=$?
kill "$watchdog" 2>/dev/null
exit "$code"
