#!/bin/sh
# What `npm start` runs. It makes the checkout ready and then becomes the program, so that no launcher stays in
# memory or stands between the program and its signals.
scripts=$(dirname "$0")
node=$(node "$scripts/launch.mjs" ready) || exit
: "${NODE_COMPILE_CACHE:=$scripts/../node_modules/.cache/node-compile}"
export NODE_COMPILE_CACHE
# The flags keep the garbage of young objects small: unbounded it is half of the memory of an idle Inlay.
# shellcheck disable=SC2046 -- one flag a word
exec "$node" $(cat "$scripts/node-flags") "$scripts/../packages/server/src/cli/inlay.ts" start "$@"
