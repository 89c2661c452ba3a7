/** Which activities each queue of a host serves. */
import type { Host } from '../worker/host.ts';
import { checkConfig } from './check-config.ts';
import { cleanUp } from './clean-up.ts';
import { dataSetDetails, dataSetItems, listDataSets, readDataSetImage, sizeOfDataSetImage } from './data-sets.ts';
import { findLostRuns } from './find-lost-runs.ts';
import { hostStatus, listData, listTrainers, publishData, removeData, watchRun } from './host-questions.ts';
import { keepCheckpoints } from './keep-checkpoints.ts';
import { moveIn } from './move-in.ts';
import { openSession } from './open-session.ts';
import { publish } from './publish.ts';
import { removeResults } from './remove-results.ts';
import { linkRunFile, listRunFiles, readRunFile, readRunLog, sizeOfRunFile } from './run-files.ts';
import { stopTrainer } from './stop-trainer.ts';
import { surveyHost, surveyStore } from './survey.ts';
import { tellObserver } from './tell-observer.ts';
import { trainEpoch } from './train-epoch.ts';
import { trainerMaterials } from './trainer-materials.ts';

const runFiles = (host: Host) => ({
  listRunFiles: listRunFiles(host),
  sizeOfRunFile: sizeOfRunFile(host),
  readRunFile: readRunFile(host),
  linkRunFile: linkRunFile(host),
  readRunLog: readRunLog(host),
  removeResults: removeResults(host),
});

/** The pool's queue: only what needs a slot. */
export const poolActivities = (host: Host) => ({ openSession: openSession(host, true) });

/** The pool's control queue: what any worker of the pool can do at any time. */
export const poolControlActivities = (host: Host) => ({
  checkConfig: checkConfig(host),
  listTrainers: listTrainers(host),
  surveyStore: surveyStore(host),
  moveIn: moveIn(host),
  publish: publish(host),
  cleanUp: cleanUp(host),
  tellObserver: tellObserver(host),
  ...runFiles(host),
});

/** The host's queue: work on its run folders. */
export const hostActivities = (host: Host) => ({
  openSession: openSession(host, false),
  trainEpoch: trainEpoch(host),
  keepCheckpoints: keepCheckpoints(host),
  surveyHost: surveyHost(host),
  moveIn: moveIn(host),
  publish: publish(host),
  cleanUp: cleanUp(host),
});

/** The host's control queue: what must never wait behind an epoch. */
export const hostControlActivities = (host: Host) => ({
  stopTrainer: stopTrainer(host),
  hostStatus: hostStatus(host, () => activityNames(host)),
  watchRun: watchRun(host),
  listData: listData(host),
  removeData: removeData(host),
  publishData: publishData(host),
  trainerMaterials: trainerMaterials(host),
  listDataSets: listDataSets(host),
  dataSetDetails: dataSetDetails(host),
  dataSetItems: dataSetItems(host),
  sizeOfDataSetImage: sizeOfDataSetImage(host),
  readDataSetImage: readDataSetImage(host),
  ...runFiles(host),
});

/** The workflow queue: what belongs to no host. */
export const workflowQueueActivities = (host: Host) => ({ findLostRuns: findLostRuns(host) });

/** All that a host can be asked for, whichever queue it is asked on. */
function activityNames(host: Host): string[] {
  const all = [poolActivities, poolControlActivities, hostActivities, hostControlActivities, workflowQueueActivities];
  return [...new Set(all.flatMap((activities) => Object.keys(activities(host))))].sort();
}
