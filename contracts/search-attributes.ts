/** The search attributes of runs and their salvages, by which Temporal lists them. */

/** As `defineSearchAttributeKey` of Temporal's SDK makes them. */
export const attributes = {
  state: { name: 'EpochalState', type: 'KEYWORD' },
  /** The chart's full state, e.g. `training.paused`. */
  detail: { name: 'EpochalDetail', type: 'KEYWORD' },
  trainer: { name: 'EpochalTrainer', type: 'KEYWORD' },
  project: { name: 'EpochalProject', type: 'KEYWORD' },
  outcome: { name: 'EpochalOutcome', type: 'KEYWORD' },
  bestMetric: { name: 'EpochalBestMetric', type: 'DOUBLE' },
  /** When it began to train; the server's own start time is that of the newest of a long run's executions. */
  started: { name: 'EpochalStarted', type: 'DATETIME' },
  /** While it waits: `waitingPlace`. */
  queue: { name: 'EpochalQueue', type: 'KEYWORD' },
  /** Of a salvage: the run that it lands. */
  run: { name: 'EpochalRun', type: 'KEYWORD' },
  /** For later versions, which find them registered: what a run is part of, and the words that people give it. */
  study: { name: 'EpochalStudy', type: 'KEYWORD' },
  labels: { name: 'EpochalLabels', type: 'KEYWORD_LIST' },
} as const;
export type Attribute = (typeof attributes)[keyof typeof attributes];
export type AttributeName = Attribute['name'];

const serverTypes = {
  KEYWORD: 'Keyword',
  DOUBLE: 'Double',
  DATETIME: 'Datetime',
  KEYWORD_LIST: 'KeywordList',
} as const;

/** Their types as the server calls them. */
export const searchAttributes = Object.fromEntries(
  Object.values(attributes).map(({ name, type }) => [name, serverTypes[type]]),
) as Record<AttributeName, (typeof serverTypes)[Attribute['type']]>;

/** `detail` of a run that waits for a free slot, or whose trainer is being made ready. */
export const waitingDetail = 'training.acquiring';
/** As text it sorts as the pool's queue does: by priority, then by who has waited longer. */
export const waitingPlace = (pool: string, priority: number, since: string): string =>
  `${waitingPool(pool)}${priority}/${since}`;
/** What the places in a pool's queue begin with. */
export const waitingPool = (pool: string): string => `${pool}/`;
