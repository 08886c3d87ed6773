#!/bin/sh
#PBS -W umask=027
#PBS -N Dipole-2-4-GHz.0123456789abcdef0123456789abcdef.7.0.1
#PBS -v SOLVEYARD_ATTEMPT=0123456789abcdef0123456789abcdef.7.0.1
#PBS -r n
#PBS -S /bin/sh
#PBS -j oe
#PBS -o "/data/di pole/log"
#PBS -l select=2:ncpus=8:mpiprocs=2:mem=4000mb:ngpus=1:arch=linux
#PBS -l place=scatter:excl
#PBS -l anshpc=8
#PBS -l hfss=2
#PBS -l walltime=36:30:00
#PBS -q debug
#PBS -A antennas
#PBS -p 7
#PBS -M eve@example.org
#PBS -m bea

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

solveyard_native="$PBS_JOBID"
solveyard_host=$(uname -n)
solveyard_attempt=0123456789abcdef0123456789abcdef.7.0.1
solveyard_directory='/data/di pole'
solveyard_stdout='/data/di pole/out.0'
solveyard_stderr='/data/di pole/err.0'
solveyard_record='/data/di pole/end.0'
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

export A='1 2'
export B=50%
solveyard_after() {
  set +e +u
  solveyard_traps=$(trap)
  case $solveyard_traps in
  '' | *solveyard_finish*) ;;
  *) solveyard_kept="$solveyard_kept$solveyard_nl$solveyard_traps" ;;
  esac
  solveyard_trap
  [ -z "$solveyard_failed" ] || exit "$solveyard_failed"
}
solveyard_failed=
set --
solveyard_stage=modules
command -v module >/dev/null 2>&1 ||
  for solveyard_init in "${LMOD_PKG:-/usr/share/lmod/lmod}/init/sh" \
    "${MODULESHOME:-/usr/share/modules}/init/sh" \
    /etc/profile.d/lmod.sh /etc/profile.d/modules.sh
  do [ ! -r "$solveyard_init" ] || { . "$solveyard_init"; break; }; done
module load gcc/12.2 ansys/2025r2 </dev/null || solveyard_failed=$?
solveyard_after
solveyard_stage=prologue
eval 'export OMP_NUM_THREADS=2'"$solveyard_nl"'ulimit -c 0' </dev/null || solveyard_failed=$?
solveyard_after
set -- ./solve 'it'"'"'s 5 %' -o out.s1p
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
export SOLVEYARD_EXIT="$solveyard_code"
(eval 'rm -rf scratch') </dev/null
exit "$solveyard_code"
