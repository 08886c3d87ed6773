#!/bin/sh
# The same in shell, which is slower to start. Not Ansys software.
for word; do
    [ "$last" = -jobid ] && id=$word
    last=$word
done
name=${last##*/}
: >"${last%.*}.aedtresults/solved"
printf '%s\n' "Starting Batch Run: 09:00:00 AM  Nov 26, 2026" \
    "[info] Project:$name : Normal completion of simulation on server: localhost. (09:00:00 AM  Nov 26, 2026)" \
    "Stopping Batch Run: 09:00:00 AM  Nov 26, 2026" >"$last.batchinfo/${name%%.*}-$id.log"
