#!/bin/sh
# The same in shell, which is slower to start. Not Ansys software.
for word; do
    [ "$last" = -jobid ] && id=$word
    last=$word
done
name=${last##*/}
printf '%s\n' "Starting Batch Run: now" \
    "[info] Project:$name : Normal completion of simulation on server: localhost. (now)" \
    "Stopping Batch Run: now" >"$last.batchinfo/${name%%.*}-$id.log"
