#!/bin/sh
#SBATCH --job-name=dipole.0123456789abcdef0123456789abcdef.7.0.1
#SBATCH --comment=0123456789abcdef0123456789abcdef.7.0.1
#SBATCH --no-requeue
#SBATCH --kill-on-invalid-dep=yes
#SBATCH --open-mode=append
#SBATCH --chdir=/
#SBATCH --output=/data/log
#SBATCH --error=/data/log
#SBATCH --array=0-2%2
#SBATCH --ntasks=2
#SBATCH --cpus-per-task=1

solveyard_nl='
'
solveyard_path=$PATH
solveyard_up=
{ IFS=' ' read -r solveyard_up solveyard_rest </proc/uptime; } 2>/dev/null
[ -n "$solveyard_up" ] || solveyard_began=$(date +%s)
solveyard_stage=directory
solveyard_child=
solveyard_signalled=
solveyard_kept=

solveyard_tell() {
  if [ -n "$solveyard_up" ]; then
    IFS=' ' read -r solveyard_now solveyard_rest </proc/uptime
    solveyard_when="\"up\":$solveyard_up,\"now\":$solveyard_now"
  else
    solveyard_when="\"began\":$solveyard_began"
  fi
  printf '{"attempt":"%s","native":"%s","host":"%s",%s%s}\n' "$solveyard_attempt" \
    "$solveyard_native" "$solveyard_host" "$solveyard_when" "$1"
}
solveyard_finish() {
  solveyard_code=$?
  trap - EXIT
  trap '' HUP INT TERM USR1 USR2
  unset LD_PRELOAD LD_LIBRARY_PATH
  PATH=$solveyard_path
  solveyard_end=",\"stage\":\"$solveyard_stage\",\"code\":$solveyard_code"
  [ -n "$solveyard_up" ] || solveyard_end=",\"ended\":$(date +%s)$solveyard_end"
  [ -z "$solveyard_signalled" ] ||
    solveyard_end="$solveyard_end,\"signalled\":\"$solveyard_signalled\""
  solveyard_tell "$solveyard_end" >>"$solveyard_record"
  [ -z "$solveyard_kept" ] || (eval "$solveyard_kept")
  exit "$solveyard_code"
}
solveyard_trap() {
  trap solveyard_finish EXIT
  for solveyard_signal in HUP INT TERM USR1 USR2; do
    trap "solveyard_forward $solveyard_signal" "$solveyard_signal"
  done
}
solveyard_forward() {
  solveyard_again=yes
  case $1 in HUP | INT | TERM) solveyard_signalled=$1 ;; esac
  if [ -n "$solveyard_child" ]; then
    kill -s "$1" "$solveyard_child" 2>/dev/null
  elif [ "$solveyard_stage" != command ]; then
    case $1 in INT | TERM) exit 143 ;; esac
  fi
}

solveyard_native="${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
solveyard_host=${SLURMD_NODENAME:-$(uname -n)}
solveyard_task="$SLURM_ARRAY_TASK_ID"
[ "$solveyard_task" -ge 0 ] && [ "$solveyard_task" -le 2 ] || exit 125
solveyard_attempt=0123456789abcdef0123456789abcdef.7."$((solveyard_task))".1
solveyard_directory=/data
solveyard_stdout=/data/out."$((solveyard_task))"
solveyard_stderr=/data/err."$((solveyard_task))"
solveyard_record=/data/end."$((solveyard_task))"
export N="$((solveyard_task))"
set -C
{ solveyard_tell >"$solveyard_record"; } 2>/dev/null || {
  echo "$solveyard_attempt: it has begun elsewhere, or can't write $solveyard_record" >&2
  exit 125
}
set +C
solveyard_trap

cd -- "$solveyard_directory" || exit 125
true >>"$solveyard_stdout" || exit 125
true >>"$solveyard_stderr" || exit 125
exec >>"$solveyard_stdout" 2>>"$solveyard_stderr"
export SOLVEYARD_ATTEMPT="$solveyard_attempt"

export ALL=1
set -- ./solve 0."$((solveyard_task + 4))"
solveyard_run() {
  "$@" &
  solveyard_child=$!
  solveyard_code=
  solveyard_again=yes
  while [ -n "$solveyard_again" ]; do
    solveyard_again=
    wait "$solveyard_child"
    solveyard_now=$?
    [ "$solveyard_now" -eq 127 ] && [ -n "$solveyard_code" ] || solveyard_code=$solveyard_now
  done
  solveyard_child=
}
solveyard_stage=command
case $1 in *=*) ;; *)
  if env --default-signal=INT,QUIT >/dev/null 2>&1; then set -- env --default-signal=INT,QUIT "$@"; fi ;;
esac
solveyard_run "$@"
exit "$solveyard_code"
