/** Made by `npm run chart` from `workflows/run-chart.ts`: do not edit. */
import type { ChartGraph } from './chart-graph.ts';

export const runChartGraph: ChartGraph = {
  "nodes": [
    {
      "id": "configuring",
      "parent": null,
      "label": "configuring",
      "kind": "compound",
      "initial": true,
      "detail": null,
      "activity": null
    },
    {
      "id": "configuring.deciding",
      "parent": "configuring",
      "label": "deciding",
      "kind": "atomic",
      "initial": true,
      "detail": "configuring.deciding",
      "activity": null
    },
    {
      "id": "configuring.draft",
      "parent": "configuring",
      "label": "draft",
      "kind": "atomic",
      "initial": false,
      "detail": "configuring.draft",
      "activity": null
    },
    {
      "id": "configuring.validating",
      "parent": "configuring",
      "label": "validating",
      "kind": "atomic",
      "initial": false,
      "detail": "configuring.validating",
      "activity": "checkConfig"
    },
    {
      "id": "training",
      "parent": null,
      "label": "training",
      "kind": "parallel",
      "initial": false,
      "detail": null,
      "activity": null
    },
    {
      "id": "training.sessions",
      "parent": "training",
      "label": "sessions",
      "kind": "compound",
      "initial": true,
      "detail": "training.sessions",
      "activity": null
    },
    {
      "id": "training.sessions.acquiring",
      "parent": "training.sessions",
      "label": "acquiring",
      "kind": "compound",
      "initial": true,
      "detail": "training.acquiring",
      "activity": "openSession"
    },
    {
      "id": "training.sessions.acquiring.waiting",
      "parent": "training.sessions.acquiring",
      "label": "waiting",
      "kind": "atomic",
      "initial": true,
      "detail": null,
      "activity": null
    },
    {
      "id": "training.sessions.acquiring.returning",
      "parent": "training.sessions.acquiring",
      "label": "returning",
      "kind": "atomic",
      "initial": false,
      "detail": null,
      "activity": null
    },
    {
      "id": "training.sessions.acquiring.withdrawing",
      "parent": "training.sessions.acquiring",
      "label": "withdrawing",
      "kind": "atomic",
      "initial": false,
      "detail": null,
      "activity": null
    },
    {
      "id": "training.sessions.deciding",
      "parent": "training.sessions",
      "label": "deciding",
      "kind": "atomic",
      "initial": false,
      "detail": "training.deciding",
      "activity": null
    },
    {
      "id": "training.sessions.epoch",
      "parent": "training.sessions",
      "label": "epoch",
      "kind": "atomic",
      "initial": false,
      "detail": "training.epoch",
      "activity": "trainEpoch"
    },
    {
      "id": "training.sessions.finishing",
      "parent": "training.sessions",
      "label": "finishing",
      "kind": "atomic",
      "initial": false,
      "detail": "training.finishing",
      "activity": "stopTrainer"
    },
    {
      "id": "training.sessions.recovering",
      "parent": "training.sessions",
      "label": "recovering",
      "kind": "atomic",
      "initial": false,
      "detail": "training.recovering",
      "activity": null
    },
    {
      "id": "training.sessions.renewing",
      "parent": "training.sessions",
      "label": "renewing",
      "kind": "atomic",
      "initial": false,
      "detail": "training.renewing",
      "activity": null
    },
    {
      "id": "training.sessions.pausing",
      "parent": "training.sessions",
      "label": "pausing",
      "kind": "compound",
      "initial": false,
      "detail": "training.pausing",
      "activity": null
    },
    {
      "id": "training.sessions.pausing.batch",
      "parent": "training.sessions.pausing",
      "label": "batch",
      "kind": "atomic",
      "initial": true,
      "detail": null,
      "activity": "stopTrainer"
    },
    {
      "id": "training.sessions.pausing.terminate",
      "parent": "training.sessions.pausing",
      "label": "terminate",
      "kind": "atomic",
      "initial": false,
      "detail": null,
      "activity": "stopTrainer"
    },
    {
      "id": "training.sessions.pausing.kill",
      "parent": "training.sessions.pausing",
      "label": "kill",
      "kind": "atomic",
      "initial": false,
      "detail": null,
      "activity": "stopTrainer"
    },
    {
      "id": "training.sessions.pausing.ended",
      "parent": "training.sessions.pausing",
      "label": "ended",
      "kind": "final",
      "initial": false,
      "detail": null,
      "activity": null
    },
    {
      "id": "training.sessions.paused",
      "parent": "training.sessions",
      "label": "paused",
      "kind": "atomic",
      "initial": false,
      "detail": "training.paused",
      "activity": null
    },
    {
      "id": "training.keeper",
      "parent": "training",
      "label": "keeper",
      "kind": "compound",
      "initial": true,
      "detail": null,
      "activity": null
    },
    {
      "id": "training.keeper.idle",
      "parent": "training.keeper",
      "label": "idle",
      "kind": "atomic",
      "initial": true,
      "detail": null,
      "activity": null
    },
    {
      "id": "training.keeper.keeping",
      "parent": "training.keeper",
      "label": "keeping",
      "kind": "atomic",
      "initial": false,
      "detail": null,
      "activity": "keepCheckpoints"
    },
    {
      "id": "training.keeper.waiting",
      "parent": "training.keeper",
      "label": "waiting",
      "kind": "atomic",
      "initial": false,
      "detail": null,
      "activity": null
    },
    {
      "id": "stopping",
      "parent": null,
      "label": "stopping",
      "kind": "compound",
      "initial": false,
      "detail": null,
      "activity": null
    },
    {
      "id": "stopping.choosing",
      "parent": "stopping",
      "label": "choosing",
      "kind": "atomic",
      "initial": true,
      "detail": "stopping.choosing",
      "activity": null
    },
    {
      "id": "stopping.epoch",
      "parent": "stopping",
      "label": "epoch",
      "kind": "atomic",
      "initial": false,
      "detail": "stopping.epoch",
      "activity": "stopTrainer"
    },
    {
      "id": "stopping.batch",
      "parent": "stopping",
      "label": "batch",
      "kind": "atomic",
      "initial": false,
      "detail": "stopping.batch",
      "activity": "stopTrainer"
    },
    {
      "id": "stopping.terminate",
      "parent": "stopping",
      "label": "terminate",
      "kind": "atomic",
      "initial": false,
      "detail": "stopping.terminate",
      "activity": "stopTrainer"
    },
    {
      "id": "stopping.kill",
      "parent": "stopping",
      "label": "kill",
      "kind": "atomic",
      "initial": false,
      "detail": "stopping.kill",
      "activity": "stopTrainer"
    },
    {
      "id": "stopping.ended",
      "parent": "stopping",
      "label": "ended",
      "kind": "final",
      "initial": false,
      "detail": "stopping.ended",
      "activity": null
    },
    {
      "id": "uploading",
      "parent": null,
      "label": "uploading",
      "kind": "compound",
      "initial": false,
      "detail": null,
      "activity": null
    },
    {
      "id": "uploading.publishing",
      "parent": "uploading",
      "label": "publishing",
      "kind": "atomic",
      "initial": true,
      "detail": "uploading.publishing",
      "activity": "publish"
    },
    {
      "id": "uploading.cleaningUp",
      "parent": "uploading",
      "label": "cleaningUp",
      "kind": "atomic",
      "initial": false,
      "detail": "uploading.cleaningUp",
      "activity": "cleanUp"
    },
    {
      "id": "stopped",
      "parent": null,
      "label": "stopped",
      "kind": "final",
      "initial": false,
      "detail": "stopped",
      "activity": null
    }
  ],
  "edges": [
    {
      "from": "configuring",
      "to": "stopped",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "configuring.deciding",
      "to": "configuring.draft",
      "label": "",
      "kind": "always",
      "guard": "isDraft"
    },
    {
      "from": "configuring.deciding",
      "to": "configuring.validating",
      "label": "",
      "kind": "always",
      "guard": null
    },
    {
      "from": "configuring.draft",
      "to": "configuring.validating",
      "label": "TRAIN",
      "kind": "event",
      "guard": null
    },
    {
      "from": "configuring.validating",
      "to": "training",
      "label": "checkConfig done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "configuring.validating",
      "to": "configuring.draft",
      "label": "checkConfig done",
      "kind": "done",
      "guard": "isDraft"
    },
    {
      "from": "configuring.validating",
      "to": "stopped",
      "label": "checkConfig done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "configuring.validating",
      "to": "configuring.draft",
      "label": "checkConfig error",
      "kind": "error",
      "guard": "isDraft"
    },
    {
      "from": "configuring.validating",
      "to": "stopped",
      "label": "checkConfig error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "training.sessions",
      "to": "training.sessions.paused",
      "label": "MOVED",
      "kind": "event",
      "guard": "pauseWanted"
    },
    {
      "from": "training.sessions",
      "to": "training.sessions.deciding",
      "label": "MOVED",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.acquiring",
      "to": "training.sessions.deciding",
      "label": "openSession done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "training.sessions.acquiring",
      "to": "stopping",
      "label": "openSession error",
      "kind": "error",
      "guard": "stopWanted"
    },
    {
      "from": "training.sessions.acquiring",
      "to": "training.sessions.paused",
      "label": "openSession error",
      "kind": "error",
      "guard": "pauseWanted"
    },
    {
      "from": "training.sessions.acquiring",
      "to": "training.sessions.acquiring",
      "label": "openSession error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "training.sessions.acquiring",
      "to": "training.sessions.deciding",
      "label": "openSession error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "training.sessions.acquiring.waiting",
      "to": "training.sessions.acquiring.withdrawing",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.acquiring.waiting",
      "to": "training.sessions.acquiring.withdrawing",
      "label": "PAUSE",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.acquiring.waiting",
      "to": "training.sessions.acquiring.returning",
      "label": "SESSION_FOUND",
      "kind": "event",
      "guard": "isLastSession"
    },
    {
      "from": "training.sessions.acquiring.returning",
      "to": "training.sessions.acquiring.withdrawing",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.acquiring.returning",
      "to": "training.sessions.acquiring.withdrawing",
      "label": "PAUSE",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.deciding",
      "to": "stopping",
      "label": "",
      "kind": "always",
      "guard": "stopWanted"
    },
    {
      "from": "training.sessions.deciding",
      "to": "stopping",
      "label": "",
      "kind": "always",
      "guard": "givenUp"
    },
    {
      "from": "training.sessions.deciding",
      "to": "training.sessions.paused",
      "label": "",
      "kind": "always",
      "guard": "failed and pauseWanted"
    },
    {
      "from": "training.sessions.deciding",
      "to": "training.sessions.acquiring",
      "label": "",
      "kind": "always",
      "guard": "failed and mayGoOnAtOnce"
    },
    {
      "from": "training.sessions.deciding",
      "to": "training.sessions.recovering",
      "label": "",
      "kind": "always",
      "guard": "failed"
    },
    {
      "from": "training.sessions.deciding",
      "to": "training.sessions.acquiring",
      "label": "",
      "kind": "always",
      "guard": "not hasSession"
    },
    {
      "from": "training.sessions.deciding",
      "to": "training.sessions.pausing",
      "label": "",
      "kind": "always",
      "guard": "pauseWanted"
    },
    {
      "from": "training.sessions.deciding",
      "to": "training.sessions.finishing",
      "label": "",
      "kind": "always",
      "guard": "allTrained"
    },
    {
      "from": "training.sessions.deciding",
      "to": "training.sessions.renewing",
      "label": "",
      "kind": "always",
      "guard": "renewalDue"
    },
    {
      "from": "training.sessions.deciding",
      "to": "training.sessions.epoch",
      "label": "",
      "kind": "always",
      "guard": null
    },
    {
      "from": "training.sessions.epoch",
      "to": "stopping",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.epoch",
      "to": "training.sessions.pausing",
      "label": "PAUSE",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.epoch",
      "to": "training.sessions.deciding",
      "label": "SESSION_LOST",
      "kind": "event",
      "guard": "isOpenSession"
    },
    {
      "from": "training.sessions.epoch",
      "to": "training.sessions.epoch",
      "label": "SESSION_FOUND",
      "kind": "event",
      "guard": "isOpenSession"
    },
    {
      "from": "training.sessions.epoch",
      "to": "training.sessions.deciding",
      "label": "trainEpoch done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "training.sessions.epoch",
      "to": "training.sessions.deciding",
      "label": "trainEpoch error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "training.sessions.finishing",
      "to": "stopping.terminate",
      "label": "STOP",
      "kind": "event",
      "guard": "asksForNow"
    },
    {
      "from": "training.sessions.finishing",
      "to": "stopping.batch",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.finishing",
      "to": "training.sessions.pausing",
      "label": "PAUSE",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.finishing",
      "to": "training.sessions.deciding",
      "label": "SESSION_LOST",
      "kind": "event",
      "guard": "isOpenSession"
    },
    {
      "from": "training.sessions.finishing",
      "to": "training.sessions.finishing",
      "label": "SESSION_FOUND",
      "kind": "event",
      "guard": "isOpenSession"
    },
    {
      "from": "training.sessions.finishing",
      "to": "stopping",
      "label": "stopTrainer done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "training.sessions.finishing",
      "to": "training.sessions.deciding",
      "label": "stopTrainer done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "training.sessions.finishing",
      "to": "training.sessions.deciding",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "training.sessions.finishing",
      "to": "stopping",
      "label": "after finishDeadline",
      "kind": "after",
      "guard": null
    },
    {
      "from": "training.sessions.recovering",
      "to": "stopping",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.recovering",
      "to": "training.sessions.paused",
      "label": "PAUSE",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.recovering",
      "to": "training.sessions.acquiring",
      "label": "after backoff",
      "kind": "after",
      "guard": null
    },
    {
      "from": "training.sessions.renewing",
      "to": "training.sessions.deciding",
      "label": "MOVED",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.renewing",
      "to": "training.sessions.deciding",
      "label": "RENEWED",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.renewing",
      "to": "stopping",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.renewing",
      "to": "training.sessions.pausing",
      "label": "PAUSE",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.pausing",
      "to": "stopping",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.pausing",
      "to": "training.sessions.paused",
      "label": "MOVED",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.pausing",
      "to": "stopping",
      "label": "done",
      "kind": "done",
      "guard": "finished"
    },
    {
      "from": "training.sessions.pausing",
      "to": "training.sessions.paused",
      "label": "done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "training.sessions.pausing.batch",
      "to": "training.sessions.pausing.ended",
      "label": "stopTrainer done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "training.sessions.pausing.batch",
      "to": "training.sessions.pausing.terminate",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": "isUnexpected"
    },
    {
      "from": "training.sessions.pausing.batch",
      "to": "training.sessions.pausing.ended",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "training.sessions.pausing.batch",
      "to": "training.sessions.pausing.terminate",
      "label": "after stopDeadline",
      "kind": "after",
      "guard": null
    },
    {
      "from": "training.sessions.pausing.terminate",
      "to": "training.sessions.pausing.ended",
      "label": "stopTrainer done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "training.sessions.pausing.terminate",
      "to": "training.sessions.pausing.kill",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": "isUnexpected"
    },
    {
      "from": "training.sessions.pausing.terminate",
      "to": "training.sessions.pausing.ended",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "training.sessions.pausing.terminate",
      "to": "training.sessions.pausing.kill",
      "label": "after terminateDeadline",
      "kind": "after",
      "guard": null
    },
    {
      "from": "training.sessions.pausing.kill",
      "to": "training.sessions.pausing.ended",
      "label": "stopTrainer done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "training.sessions.pausing.kill",
      "to": "training.sessions.pausing.ended",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "training.sessions.paused",
      "to": "training.sessions.acquiring",
      "label": "RESUME",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.sessions.paused",
      "to": "stopping",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.keeper.idle",
      "to": "training.keeper.keeping",
      "label": "",
      "kind": "always",
      "guard": "hasKeeping"
    },
    {
      "from": "training.keeper.keeping",
      "to": "training.keeper.idle",
      "label": "MOVED",
      "kind": "event",
      "guard": null
    },
    {
      "from": "training.keeper.keeping",
      "to": "training.keeper.idle",
      "label": "SESSION_LOST",
      "kind": "event",
      "guard": "isOpenSession"
    },
    {
      "from": "training.keeper.keeping",
      "to": "training.keeper.idle",
      "label": "SESSION_FOUND",
      "kind": "event",
      "guard": "isOpenSession"
    },
    {
      "from": "training.keeper.keeping",
      "to": "training.keeper.idle",
      "label": "keepCheckpoints done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "training.keeper.keeping",
      "to": "training.keeper.waiting",
      "label": "keepCheckpoints error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "training.keeper.waiting",
      "to": "training.keeper.idle",
      "label": "after keeperPause",
      "kind": "after",
      "guard": null
    },
    {
      "from": "stopping",
      "to": "stopping.choosing",
      "label": "MOVED",
      "kind": "event",
      "guard": null
    },
    {
      "from": "stopping",
      "to": "uploading",
      "label": "done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "stopping.choosing",
      "to": "stopping.ended",
      "label": "",
      "kind": "always",
      "guard": "not hasSession"
    },
    {
      "from": "stopping.choosing",
      "to": "stopping.terminate",
      "label": "",
      "kind": "always",
      "guard": "wantsNow"
    },
    {
      "from": "stopping.choosing",
      "to": "stopping.epoch",
      "label": "",
      "kind": "always",
      "guard": "wantsEpochEnd"
    },
    {
      "from": "stopping.choosing",
      "to": "stopping.batch",
      "label": "",
      "kind": "always",
      "guard": null
    },
    {
      "from": "stopping.epoch",
      "to": "stopping.terminate",
      "label": "STOP",
      "kind": "event",
      "guard": "asksForNow"
    },
    {
      "from": "stopping.epoch",
      "to": "stopping.batch",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "stopping.epoch",
      "to": "stopping.ended",
      "label": "stopTrainer done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "stopping.epoch",
      "to": "stopping.batch",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": "isUnexpected"
    },
    {
      "from": "stopping.epoch",
      "to": "stopping.ended",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "stopping.batch",
      "to": "stopping.terminate",
      "label": "STOP",
      "kind": "event",
      "guard": "asksForNow"
    },
    {
      "from": "stopping.batch",
      "to": "stopping.terminate",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "stopping.batch",
      "to": "stopping.ended",
      "label": "stopTrainer done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "stopping.batch",
      "to": "stopping.terminate",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": "isUnexpected"
    },
    {
      "from": "stopping.batch",
      "to": "stopping.ended",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "stopping.batch",
      "to": "stopping.terminate",
      "label": "after stopDeadline",
      "kind": "after",
      "guard": null
    },
    {
      "from": "stopping.terminate",
      "to": "stopping.kill",
      "label": "STOP",
      "kind": "event",
      "guard": null
    },
    {
      "from": "stopping.terminate",
      "to": "stopping.ended",
      "label": "stopTrainer done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "stopping.terminate",
      "to": "stopping.kill",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": "isUnexpected"
    },
    {
      "from": "stopping.terminate",
      "to": "stopping.ended",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "stopping.terminate",
      "to": "stopping.kill",
      "label": "after terminateDeadline",
      "kind": "after",
      "guard": null
    },
    {
      "from": "stopping.kill",
      "to": "stopping.ended",
      "label": "stopTrainer done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "stopping.kill",
      "to": "stopping.ended",
      "label": "stopTrainer error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "uploading",
      "to": "uploading.publishing",
      "label": "MOVED",
      "kind": "event",
      "guard": null
    },
    {
      "from": "uploading.publishing",
      "to": "uploading.cleaningUp",
      "label": "publish done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "uploading.publishing",
      "to": "uploading.cleaningUp",
      "label": "publish error",
      "kind": "error",
      "guard": null
    },
    {
      "from": "uploading.cleaningUp",
      "to": "stopped",
      "label": "cleanUp done",
      "kind": "done",
      "guard": null
    },
    {
      "from": "uploading.cleaningUp",
      "to": "stopped",
      "label": "cleanUp error",
      "kind": "error",
      "guard": null
    }
  ]
};
