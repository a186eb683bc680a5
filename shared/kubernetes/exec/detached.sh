#!/bin/sh
# Runs a command in a container so that it outlives the exec that started it: sh -c THIS sh VERB NAME [COMMAND...]
#
#   start    start the command and wait for its end; where NAME was started before, wait for that one
#   attach   wait for the end of what was started before, for five minutes at most
#   end      end the command and all that is left of its process group
#   forget   remove what is kept
#
# The answer is lines on stdout of the form "restorehooks WORD...", the last of them followed by what is kept of the
# command's output, and the exit code 77. An exec that ends with another code has not spoken to its end.
#
# In the folder NAME, which only its owner can read:
#
#   running, exited-N   the stat of the process that waits for the command; renamed when it has ended with exit code N
#   command             the stat of the command's own process
#   asked               somebody has asked for the end
#   out, err            the command's streams
#   out.*, err.*        of each stream: head and tail, the bytes that are kept; pid-N, the process that reads it; rest-N:
#                       it is at its end, and N bytes came after the head
#   flush               the command has ended, and something else holds its streams open
#
# What must not get lost is in names, or in the place of what was written before: that also works on a full disk.

# Only what a verb needs is sent: what stands below a line of the form "#: VERB..." is for these.

_verb=$1 _name=$2
shift 2

say() { echo "restorehooks $*"; }

#: start attach end

# Whether a file PREFIX-N is there, and its N.
numbered() { # PREFIX
  for _found in "$_dir/$1"-*; do
    _number=${_found##*-}
    [ -e "$_found" ] && return
  done
  return 1
}

# Read a /proc/PID/stat, or a copy of one. A pid can come again, but not with the same time of birth.
stat_of() { # FILE
  _stat=
  { read -r _stat <"$1"; } 2>/dev/null
  _pid=${_stat%% *}
  # The second field is a name in parentheses, and it may hold spaces.
  # shellcheck disable=SC2086
  set -- ${_stat##*) }
  _state=$1 _group=$3 _born=${20}
  [ -n "$_born" ]
}

# Whether the process still runs whose stat was copied to FILE.
runs() { # FILE
  stat_of "$1" || return 1
  set -- "$_born"
  stat_of "/proc/$_pid/stat" && [ "$_born" = "$1" ] && [ "$_state" != Z ]
}

# Whether anything but zombies is left of the command's process group; its number is in $_of.
group_runs() {
  stat_of "$_dir/command" || return 1
  _of=$_group
  # A group keeps its number while anything is left of it: where the command's pid is another's, nothing is.
  set -- "$_pid" "$_born"
  if stat_of "/proc/$1/stat" && [ "$_born" != "$2" ]; then return 1; fi
  for _process in /proc/[0-9]*; do
    stat_of "$_process/stat" && [ "$_group" = "$_of" ] && [ "$_state" != Z ] && return
  done
  return 1
}

# Sleep a tenth of a second, or a whole one where sleep takes no fractions, and count the tenths.
nap() {
  if sleep 0.1 2>/dev/null; then _tenths=$((_tenths + 1)); else sleep 1 && _tenths=$((_tenths + 10)); fi
}

#: start attach end forget

# R3.77. Find what an earlier request made. Another user's folder, or a link, may be a trap.
find_dir() {
  for _place in "${TMPDIR:-/tmp}" /tmp /dev/shm /var/tmp; do
    _dir=$_place/$_name
    [ -d "$_dir" ] && [ ! -h "$_dir" ] && [ -O "$_dir" ] && return
  done
  return 1
}

#: start

# Fill a new folder with what a command needs. Fails on a full disk, or one that has no named pipes or lets another user
# own what is made.
furnish() {
  [ -O "$_dir" ] && mkfifo "$_dir/out" "$_dir/err" && echo >"$_dir/command" &&
    read -r _stat </proc/self/stat && echo "$_stat" >"$_dir/running"
} 2>/dev/null

# R3.71. Of all that ask for the same name, mkdir lets one succeed; the others attach.
make_dir() {
  for _place in "${TMPDIR:-/tmp}" /tmp /dev/shm /var/tmp; do
    _dir=$_place/$_name
    if mkdir -m 700 "$_dir" 2>/dev/null; then
      furnish && return
      rm -rf "$_dir"
    elif find_dir; then
      _verb=attach
      return
    fi
  done
  say nowhere
  return 1
}

# R3.76. Tell why the command can't be started, before anything is. Sets $_file to where the command is.
can_start() { # COMMAND...
  for _tool in mkdir mkfifo mv rm dd tee tail wc cat sleep; do
    command -v "$_tool" >/dev/null && continue
    say lacks "$_tool"
    return 1
  done
  case $1 in
    */*) _file=$1 ;;
    *)
      _path=$PATH:
      until [ -z "$_path" ]; do
        _file=${_path%%:*}
        _file=${_file:-.}/$1 _path=${_path#*:}
        [ -f "$_file" ] && [ -x "$_file" ] && break
        _file=
      done
      ;;
  esac
  if [ ! -e "$_file" ]; then
    say missing
  elif [ ! -f "$_file" ] || [ ! -x "$_file" ]; then
    say forbidden
  else
    return 0
  fi
  return 1
}

# The names of the variables that this shell has added to its environment.
added() {
  _had=:$(tr '\n\0' ' \n' <"/proc/$$/environ" | while IFS= read -r _line; do echo ":${_line%%=*}:"; done)
  for _var in PWD OLDPWD SHLVL _; do
    case $_had in
      *":$_var:"*) ;;
      *) echo "$_var" ;;
    esac
  done
} 2>/dev/null

# R3.72. The shell that becomes the command: DIR FILE ADDED COMMAND... Who asks for its end leaves word first and looks for
# the command then: one of the two is seen, however slow this was.
# What begins with a dash is one for exec only with its path. bash and mksh add variables again as they execute a program,
# and env takes them away; but env takes a name with a = for a variable.
# shellcheck disable=SC2016
_become='
read -r _stat </proc/self/stat
echo "$_stat" 1<>"$1/command"
[ -e "$1/asked" ] && exit 143
_file=$2 _added=$3
shift 3
case $1 in -*) shift && set -- "$_file" "$@" ;; esac
case $BASH_VERSION$KSH_VERSION:$1 in
  :* | *=*) ;;
  *)
    if env -u _ true 2>/dev/null; then
      for _file in $_added; do set -- -u "$_file" "$@"; done
      set -- env "$@"
    fi
    ;;
esac
unset $_added _stat _file _added
exec "$@"
'

# The command may remove the folder: what is written is open by then, and all is read. Passes stdin on to two readers, after the head, which is on the disk at once. First tells how long the tail may be.
# shellcheck disable=SC2016
_split='
: >"$1.pid-$$"
dd bs=512 count=64 of="$1.head" >/dev/null 2>&1 3>&-
echo $((65536 - $(wc -c <"$1.head" || echo 32768)))
exec tee /dev/fd/3 2>/dev/null
'

# R3.73. Keep at most 64 KiB of stdin, its beginning and its end.
capture() { # STREAM
  _rest=$({
    sh -c "$_split" sh "$_dir/$1" |
      { { read -r _most && tail -c "$_most"; } >"$_dir/$1.tail" || cat >/dev/null; } 3>&-
  } 3>&1 | wc -c)
  : >"$_dir/$1.rest-$((_rest))"
  # What the command left behind must not be killed by SIGPIPE.
  if [ -e "$_dir/flush" ]; then
    exec 8<&0
    $_session cat <&8 >/dev/null &
  fi
}

# Run the command in the foreground, because a shell lets a command with & ignore SIGINT and SIGQUIT. Tell its exit code
# to whoever comes and, on channel 5, to the exec that waits. That may be gone: only a subshell may die of writing to it.
supervise() { # COMMAND...
  exec 5>&1 >/dev/null 2>&1
  read -r _stat </proc/self/stat
  echo "$_stat" 1<>"$_dir/running"
  (say begun) >&4
  exec 4>&-
  capture out <"$_dir/out" 5>&- &
  capture err <"$_dir/err" 5>&- &
  # Where there is no setsid, bash can make a group.
  [ -n "$_session" ] || [ -z "$BASH_VERSION" ] || set -m
  # In a subshell, because some shells tell on the redirected stderr that the command was killed.
  (exec $_session sh -c "$_become" sh "$_dir" "$_file" "$(added)" "$@" >"$_dir/out" 2>"$_dir/err" 5>&-)
  _code=$?
  mv "$_dir/running" "$_dir/exited-$_code"
  (echo "$_code") >&5
  # R3.74. The streams end with the command, unless a process that it left behind holds them open.
  _tenths=0
  until has_output || [ "$_tenths" -ge 30 ]; do
    [ "$_tenths" -lt 10 ] || flush
    nap
  done
  [ -e "$_dir/flush" ] || wait
}

flush() {
  : >"$_dir/flush"
  for _stream in out err; do
    numbered "$_stream.rest" || ! numbered "$_stream.pid" || kill -s KILL "$_number"
  done
}

run() { # COMMAND...
  _session=
  ! command -v setsid >/dev/null || _session=setsid
  exec 4>&1
  _code=$(supervise "$@")
  if [ -n "$_code" ]; then report exited "$_code"; else await; fi
}

#: start attach

has_output() {
  { numbered out.rest && numbered err.rest; } || [ ! -d "$_dir" ]
}

# How many bytes of a stream are not kept.
left_out() { # STREAM
  _kept=$(wc -c <"$_dir/$1.tail")
  if numbered "$1.rest"; then echo $((_number - ${_kept:-0})); else echo 0; fi
} 2>/dev/null

show() { # STREAM
  cat "$_dir/$1.head"
  _lost=$(left_out "$1")
  [ "$_lost" -le 0 ] || printf '\n[%s bytes are left out here]\n' "$_lost"
  cat "$_dir/$1.tail"
}

# The last line of an answer, and the output. Its last number is 1 if somebody has asked for the command's end.
report() { # WORD...
  say "$@" "$(left_out out)" "$(left_out err)" "$([ -e "$_dir/asked" ] && echo 1)"
  show out 2>/dev/null
  { show err 2>/dev/null; } >&2
  exit 77
}

# R3.79. Wait for the end of what another request has started.
await() {
  _secs=0
  while [ -d "$_dir" ]; do
    if runs "$_dir/running"; then
      :
    elif numbered exited; then
      _code=$_number _tenths=0
      until has_output || [ "$_tenths" -ge 30 ]; do nap; done
      report exited "$_code"
    # Without its supervisor the command may go on, but nobody will know its exit code. Where there is none yet, it may
    # be just about to begin.
    elif [ "$_secs" -ge 10 ] && ! group_runs; then
      report dead
    fi
    if [ "$_secs" -ge 300 ]; then
      say running
      exit 77
    fi
    sleep 1
    _secs=$((_secs + 1))
  done
  say absent
}

#: end

# Wait until nothing is left of the group.
until_gone() { # TENTHS
  _tenths=0
  while group_runs; do
    [ "$_tenths" -lt "$1" ] || return
    nap
  done
}

# R3.75. TERM, and KILL after 5 s. What a command left behind that ended by itself goes on.
end_command() {
  if numbered exited && [ ! -e "$_dir/asked" ]; then return; fi
  : >"$_dir/asked"
  _tenths=0
  # It has been started just now.
  until stat_of "$_dir/command" || numbered exited || ! runs "$_dir/running" || [ "$_tenths" -ge 50 ]; do nap; done
  _code=
  if group_runs; then
    _code=143
    kill -s TERM -- "-$_of"
  fi
  until_gone 50
  if group_runs; then
    _code=137
    kill -s KILL -- "-$_of"
    until_gone 50
  fi
  # Where no group could be made for the command, its supervisor was in the same one and has been killed, too.
  _tenths=0
  while runs "$_dir/running" && [ "$_tenths" -lt 50 ]; do nap; done
  # What was gone before has ended in another way, and nobody knows its exit code.
  [ -z "$_code" ] || [ ! -e "$_dir/running" ] || runs "$_dir/running" || mv "$_dir/running" "$_dir/exited-$_code"
  ! group_runs
} 2>/dev/null

if [ "$_verb" = end ]; then
  if ! find_dir; then say absent; elif end_command; then say ended; else say running; fi
fi

#: forget

if [ "$_verb" = forget ]; then
  ! find_dir || rm -rf "$_dir"
  say absent
fi

#: start

if [ "$_verb" = start ]; then
  if find_dir; then _verb=attach; else can_start "$@" && make_dir || exit 77; fi
fi
if [ "$_verb" = start ]; then run "$@"; fi

#: start attach

if [ "$_verb" = attach ]; then
  if find_dir; then say begun && await; else say absent; fi
fi

#: start attach end forget

exit 77
