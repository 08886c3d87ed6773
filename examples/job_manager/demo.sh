#!/bin/sh
# The job manager's commands, one by one: demo.sh [FOLDER]
# FOLDER holds projects of yours (.aedt files, .aedb folders), solved by the ansysedt that is found; the
# first of them three times, once for each way to submit.
# Without it: four projects and a STAND-IN for ansysedt, which is not Ansys software.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$PWD/job-manager-demo
export SOLVEYARD_HOME="$work/store"
unset SOLVEYARD_URL PYEDB_JOB_MANAGER_HOST # a service elsewhere has no part in this
mkdir -p "$work"
rm -f "$work/service.json"
if [ $# -eq 0 ]; then
    echo "With a stand-in for ansysedt: NOT Ansys software, it solves a small antenna."
    eval "$(python3 "$here/stand_in.py" "$work")"
    rm "$work/array.aedt" # it would take ten minutes
fi
projects=${1:-$work}
first=$(find "$projects" -maxdepth 1 -name '*.aed[tb]' | sort | head -n 1)

echo "== Start the service: two jobs at once; 0.5 GiB of disk and of memory stay free"
# Port 0 is any free one: 8080 may be your own service's.
python3 -m pyedb.workflows.job_manager.start_service --port 0 --json \
    --max-concurrent 2 --min-disk 0.5 --min-memory 0.5 > "$work/service.json" &
service=$!
trap 'kill "$service" 2> /dev/null || true' EXIT
until grep -q '"success": true' "$work/service.json" 2> /dev/null; do
    kill -0 "$service" # it says itself why it could not start
    sleep 0.1
done
PYEDB_JOB_MANAGER_PORT=$(sed 's/.*"url": *"[^"]*:\([0-9]*\)".*/\1/' "$work/service.json")
export PYEDB_JOB_MANAGER_PORT
pyedb-job-manager status

echo "== Submit one project; its id is what is printed"
one=$(python3 -m pyedb.workflows.job_manager.submit_local_job \
    --project-path "$first" --num-cores 2)
echo "$one"

echo "== Submit a folder of them"
python3 -m pyedb.workflows.job_manager.submit_batch_jobs \
    --root-dir "$projects" --num-cores 2 --delay-ms 0 --verbose

echo "== How is it?"
pyedb-job-manager status

echo "== Wait for all; a failure is told, and would be exit status 1"
solveyard wait "$one"
solveyard wait all || echo "not all of them succeeded"
solveyard ps --all

echo "== Submit and wait in one step, ahead of everybody else"
pyedb-job-manager wait "$first" --priority 10

echo "== Stop: running jobs get 30 s to end; what waits is kept for the next start"
trap - EXIT
kill "$service"
wait "$service"
echo "stopped"
