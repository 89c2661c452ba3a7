#!/bin/sh
# Makes the namespace and the search attributes of runs, where they are missing. Safe to run again. The names and types
# are those of contracts/run-messages.ts (a test compares them).
set -eu

tries=60
until temporal operator cluster health; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || exit 1
  sleep 2
done

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$EPOCHAL_RETENTION"

# A namespace is known everywhere some seconds after it was made.
tries=60
until temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || exit 1
  sleep 1
done

# What exists with the same type is no error.
temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
  --name EpochalState --type Keyword \
  --name EpochalDetail --type Keyword \
  --name EpochalTrainer --type Keyword \
  --name EpochalProject --type Keyword \
  --name EpochalOutcome --type Keyword \
  --name EpochalBestMetric --type Double \
  --name EpochalStarted --type Datetime \
  --name EpochalQueue --type Keyword \
  --name EpochalRun --type Keyword \
  --name EpochalStudy --type Keyword \
  --name EpochalLabels --type KeywordList
